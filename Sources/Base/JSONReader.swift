/// A JSON value (RFC 8259). Members keep the order they were written in.
public indirect enum JSONValue: Hashable, Sendable {
  case null
  case boolean(Bool)
  /// Any number that is whole and fits.
  case integer(Int64)
  case number(Double)
  case text(String)
  case array([JSONValue])
  case object([Member])

  public struct Member: Hashable, Sendable {
    public let key: String
    public let value: JSONValue
    public init(key: String, value: JSONValue) {
      self.key = key
      self.value = value
    }
  }

  /// The last member of that name, as most readers take it; `nil` also when this is no object.
  public subscript(key: String) -> JSONValue? {
    guard case .object(let members) = self else { return nil }
    return members.last { $0.key == key }?.value
  }

  public var text: String? {
    if case .text(let text) = self { text } else { nil }
  }

  public var integer: Int64? {
    if case .integer(let number) = self { number } else { nil }
  }

  /// The elements; `nil` when this is no array.
  public var elements: [JSONValue]? {
    if case .array(let elements) = self { elements } else { nil }
  }
}

/// Reads JSON strictly: one value, UTF-8 (what is not is repaired), nothing after it.
public struct JSONReader {
  /// Levels of arrays and objects.
  public static let maximumDepth = 64

  /// - Throws: `MalformedInput` naming the byte, also when `bytes` are more than `limit`.
  public static func read(_ bytes: [UInt8], limit: Int = 1 << 26) throws(MalformedInput) -> JSONValue {
    guard bytes.count <= limit else {
      throw MalformedInput(
        field: "JSON", offset: FileOffset(0), problem: .overLimit(value: UInt64(bytes.count), limit: UInt64(limit)))
    }
    var reader = JSONReader(bytes: bytes)
    let value = try reader.value(depth: 0)
    reader.skipSpace()
    guard reader.position == bytes.count else { throw reader.error("goes on after its value") }
    return value
  }

  private let bytes: [UInt8]
  private var position = 0

  private init(bytes: [UInt8]) { self.bytes = bytes }

  private func error(_ why: String) -> MalformedInput {
    MalformedInput(field: "JSON", offset: FileOffset(UInt64(position)), problem: .inconsistent(why))
  }

  private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func skipSpace() {
    while let byte = next, byte == 0x20 || byte == 0x09 || byte == 0x0a || byte == 0x0d { position += 1 }
  }

  private mutating func take(_ expected: Unicode.Scalar) -> Bool {
    guard next == UInt8(ascii: expected) else { return false }
    position += 1
    return true
  }

  private mutating func value(depth: Int) throws(MalformedInput) -> JSONValue {
    guard depth <= Self.maximumDepth else { throw error("is nested more than \(Self.maximumDepth) levels deep") }
    skipSpace()
    switch next {
    case UInt8(ascii: "{"): return try object(depth: depth)
    case UInt8(ascii: "["): return try array(depth: depth)
    case UInt8(ascii: "\""): return .text(try string())
    case UInt8(ascii: "t"): return try word("true", .boolean(true))
    case UInt8(ascii: "f"): return try word("false", .boolean(false))
    case UInt8(ascii: "n"): return try word("null", .null)
    case nil: throw error("ends where a value should be")
    default: return try number()
    }
  }

  private mutating func word(_ word: String, _ value: JSONValue) throws(MalformedInput) -> JSONValue {
    guard bytes[position...].starts(with: word.utf8) else { throw error("has an unknown word") }
    position += word.utf8.count
    return value
  }

  private mutating func object(depth: Int) throws(MalformedInput) -> JSONValue {
    position += 1
    var members: [JSONValue.Member] = []
    skipSpace()
    if take("}") { return .object(members) }
    while true {
      skipSpace()
      guard next == UInt8(ascii: "\"") else { throw error("has no key where one should be") }
      let key = try string()
      skipSpace()
      guard take(":") else { throw error("has no colon after a key") }
      members.append(JSONValue.Member(key: key, value: try value(depth: depth + 1)))
      skipSpace()
      if take("}") { return .object(members) }
      guard take(",") else { throw error("has no comma or } after a member") }
    }
  }

  private mutating func array(depth: Int) throws(MalformedInput) -> JSONValue {
    position += 1
    var elements: [JSONValue] = []
    skipSpace()
    if take("]") { return .array(elements) }
    while true {
      elements.append(try value(depth: depth + 1))
      skipSpace()
      if take("]") { return .array(elements) }
      guard take(",") else { throw error("has no comma or ] after an element") }
    }
  }

  private mutating func string() throws(MalformedInput) -> String {
    position += 1
    var text: [UInt8] = []
    while let byte = next {
      position += 1
      switch byte {
      case UInt8(ascii: "\""): return String(decoding: text, as: UTF8.self)
      case UInt8(ascii: "\\"): try escape(into: &text)
      case 0..<0x20: throw error("has a control character in a string")
      default: text.append(byte)
      }
    }
    throw error("ends inside a string")
  }

  private mutating func escape(into text: inout [UInt8]) throws(MalformedInput) {
    guard let byte = next else { throw error("ends inside an escape") }
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
    case UInt8(ascii: "b"): text.append(0x08)
    case UInt8(ascii: "f"): text.append(0x0c)
    case UInt8(ascii: "n"): text.append(0x0a)
    case UInt8(ascii: "r"): text.append(0x0d)
    case UInt8(ascii: "t"): text.append(0x09)
    case UInt8(ascii: "u"):
      var code = try hexadecimal()
      if (0xd800..<0xdc00).contains(code), bytes[position...].starts(with: "\\u".utf8) {
        let after = position
        position += 2
        let low = try hexadecimal()
        if (0xdc00..<0xe000).contains(low) {
          code = 0x10000 + (code - 0xd800) << 10 + (low - 0xdc00)
        } else {
          position = after
        }
      }
      // Half of a pair is no character.
      let scalar = Unicode.Scalar(code) ?? "\u{fffd}"
      text.append(contentsOf: String(Character(scalar)).utf8)
    default: throw error("has an unknown escape")
    }
  }

  private mutating func hexadecimal() throws(MalformedInput) -> UInt32 {
    guard bytes.count - position >= 4 else { throw error("ends inside an escape") }
    var code: UInt32 = 0
    for _ in 0..<4 {
      guard let digit = Character(Unicode.Scalar(bytes[position])).hexDigitValue, bytes[position] < 0x80 else {
        throw error("has an escape that is not hexadecimal")
      }
      code = code << 4 | UInt32(digit)
      position += 1
    }
    return code
  }

  private mutating func number() throws(MalformedInput) -> JSONValue {
    let start = position
    _ = take("-")
    let digits = position
    while let byte = next, (0x30...0x39).contains(byte) { position += 1 }
    guard position > digits, position == digits + 1 || bytes[digits] != UInt8(ascii: "0") else {
      throw error("has no number where a value should be")
    }
    var isWhole = true
    if take(".") {
      isWhole = false
      try digitsFollow()
    }
    if next == UInt8(ascii: "e") || next == UInt8(ascii: "E") {
      isWhole = false
      position += 1
      if next == UInt8(ascii: "+") || next == UInt8(ascii: "-") { position += 1 }
      try digitsFollow()
    }
    let text = String(decoding: bytes[start..<position], as: UTF8.self)
    if isWhole, let number = Int64(text) { return .integer(number) }
    guard let number = Double(text) else { throw error("has a number that cannot be read") }
    return .number(number)
  }

  private mutating func digitsFollow() throws(MalformedInput) {
    let start = position
    while let byte = next, (0x30...0x39).contains(byte) { position += 1 }
    guard position > start else { throw error("has a number without digits") }
  }
}
