/// Writes JSON (RFC 8259) in the order it is told, so that equal values give equal bytes.
///
///     var json = JSONWriter()
///     json.object {
///       $0.field("samples", 12)
///       $0.array("names") { $0.value("main") }
///     }
public struct JSONWriter: Sendable {
  public private(set) var bytes: [UInt8] = []
  private let indent: Int
  private var depth = 0
  /// Whether the innermost object or array has something in it already.
  private var hasMember = false
  private var isAfterKey = false

  /// - Parameters:
  ///   - indent: spaces a level; 0 for one line without any.
  public init(indent: Int = 2) { self.indent = indent }

  public var text: String { String(decoding: bytes, as: UTF8.self) }

  // MARK: Values, as the root or in an array

  public mutating func value(_ text: String) {
    begin()
    quote(text)
  }
  public mutating func value(_ number: some BinaryInteger) { raw(String(number)) }
  /// JSON has no infinities: they and NaN become `null`.
  public mutating func value(_ number: Double) { raw(number.isFinite ? number.description : "null") }
  public mutating func value(_ flag: Bool) { raw(flag ? "true" : "false") }
  public mutating func null() { raw("null") }

  public mutating func object(_ body: (inout JSONWriter) -> Void) { nested("{", "}", body) }
  public mutating func array(_ body: (inout JSONWriter) -> Void) { nested("[", "]", body) }

  // MARK: Members of an object; the caller sees to it that no key comes twice

  public mutating func field(_ key: String, _ text: String) {
    self.key(key)
    value(text)
  }
  public mutating func field(_ key: String, _ number: some BinaryInteger) {
    self.key(key)
    value(number)
  }
  public mutating func field(_ key: String, _ number: Double) {
    self.key(key)
    value(number)
  }
  public mutating func field(_ key: String, _ flag: Bool) {
    self.key(key)
    value(flag)
  }
  public mutating func null(_ key: String) {
    self.key(key)
    null()
  }
  public mutating func object(_ key: String, _ body: (inout JSONWriter) -> Void) {
    self.key(key)
    object(body)
  }
  public mutating func array(_ key: String, _ body: (inout JSONWriter) -> Void) {
    self.key(key)
    array(body)
  }

  /// Only the key: the value is what is written next.
  public mutating func member(_ key: String) { self.key(key) }

  // MARK: Spelling

  private mutating func key(_ key: String) {
    begin()
    quote(key)
    bytes.append(UInt8(ascii: ":"))
    if indent > 0 { bytes.append(UInt8(ascii: " ")) }
    isAfterKey = true
  }

  private mutating func raw(_ text: String) {
    begin()
    bytes.append(contentsOf: text.utf8)
  }

  private mutating func nested(_ open: Unicode.Scalar, _ close: Unicode.Scalar, _ body: (inout JSONWriter) -> Void) {
    begin()
    bytes.append(UInt8(ascii: open))
    depth += 1
    hasMember = false
    body(&self)
    depth -= 1
    if hasMember { newLine() }
    bytes.append(UInt8(ascii: close))
    hasMember = true
  }

  /// What goes before a key or a value: a comma after another one, and the line's indentation.
  private mutating func begin() {
    if isAfterKey {
      isAfterKey = false
      return
    }
    if hasMember { bytes.append(UInt8(ascii: ",")) }
    if depth > 0 { newLine() }
    hasMember = true
  }

  private mutating func newLine() {
    guard indent > 0 else { return }
    bytes.append(UInt8(ascii: "\n"))
    bytes.append(contentsOf: repeatElement(UInt8(ascii: " "), count: indent * depth))
  }

  private mutating func quote(_ text: String) {
    bytes.append(UInt8(ascii: "\""))
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "\""): bytes.append(contentsOf: "\\\"".utf8)
      case UInt8(ascii: "\\"): bytes.append(contentsOf: "\\\\".utf8)
      case UInt8(ascii: "\n"): bytes.append(contentsOf: "\\n".utf8)
      case UInt8(ascii: "\r"): bytes.append(contentsOf: "\\r".utf8)
      case UInt8(ascii: "\t"): bytes.append(contentsOf: "\\t".utf8)
      case 0..<0x20, 0x7f:
        let digits = Array("0123456789abcdef".utf8)
        bytes.append(contentsOf: "\\u00".utf8)
        bytes.append(digits[Int(byte >> 4)])
        bytes.append(digits[Int(byte & 15)])
      default: bytes.append(byte)
      }
    }
    bytes.append(UInt8(ascii: "\""))
  }
}
