import Base

extension StandardLibrary {
  static let encodingFunctions: [String: Function] = [
    "encoding.from_json": { (arguments) throws(LibraryError) in
      let text = try arguments.only().string(0)
      do throws(MalformedInput) {
        return value(of: try JSONReader.read(Array(text.utf8)))
      } catch {
        throw LibraryError("\(error)", argument: 0)
      }
    },
    "encoding.to_json": { (arguments) throws(LibraryError) in
      var json = JSONWriter(indent: 0)
      try write(try arguments.only().values[0], to: &json)
      return .string(json.text)
    },
    "encoding.from_yaml": { (arguments) throws(LibraryError) in
      let text = try arguments.only().string(0)
      do throws(YAMLReader.Failure) {
        return value(of: try YAMLReader.read(Array(text.utf8), readsNumbers: true))
      } catch {
        throw LibraryError("\(error)", argument: 0)
      }
    },
    "encoding.from_base64": { (arguments) throws(LibraryError) in try decoded(arguments, .standard) },
    "encoding.from_URLbase64": { (arguments) throws(LibraryError) in try decoded(arguments, .url) },
    "encoding.to_base64": { (arguments) throws(LibraryError) in
      .string(Base64.encode(Array(try arguments.only().string(0).utf8), .standard))
    },
    "encoding.to_URLbase64": { (arguments) throws(LibraryError) in
      .string(Base64.encode(Array(try arguments.only().string(0).utf8), .url))
    },
    "encoding.url_encode": { (arguments) throws(LibraryError) in .string(percentEncoded(try arguments.only().string(0))) },
    "encoding.url_decode": { (arguments) throws(LibraryError) in
      guard let text = percentDecoded(try arguments.only().string(0)) else {
        throw LibraryError("invalid URL escape", argument: 0)
      }
      return .string(text)
    },
    "json_path": { (arguments) throws(LibraryError) in
      let text = try arguments.only(2).string(0)
      let root: AlloyValue
      do throws(MalformedInput) {
        root = value(of: try JSONReader.read(Array(text.utf8)))
      } catch {
        throw LibraryError("\(error)", argument: 0)
      }
      return .array(try JSONPath.find(try arguments.string(1), in: root))
    },
  ]

  static func value(of json: JSONValue) -> AlloyValue {
    switch json {
    case .null: .null
    case .boolean(let flag): .bool(flag)
    case .integer(let integer): .number(.integer(integer))
    case .number(let number): .number(.float(number))
    case .text(let text): .string(text)
    case .array(let elements): .array(elements.map { value(of: $0) })
    case .object(let members): .object(Dictionary(members.map { ($0.key, value(of: $0.value)) }) { $1 })
    }
  }

  private static func write(_ value: AlloyValue, to json: inout JSONWriter) throws(LibraryError) {
    switch value {
    case .null: json.null()
    case .number(.integer(let integer)): json.value(integer)
    case .number(.float(let float)): json.value(float)
    case .string(let text): json.value(text)
    case .bool(let flag): json.value(flag)
    case .array(let elements):
      var failure: LibraryError?
      json.array { json in
        for element in elements {
          do throws(LibraryError) { try write(element, to: &json) } catch { failure = failure ?? error }
        }
      }
      if let failure { throw failure }
    case .object(let fields):
      var failure: LibraryError?
      json.object { json in
        for (key, field) in fields.sorted(by: { $0.key < $1.key }) {
          json.member(key)
          do throws(LibraryError) { try write(field, to: &json) } catch { failure = failure ?? error }
        }
      }
      if let failure { throw failure }
    default: throw LibraryError("cannot encode a value of type \(value.typeName)", argument: 0)
    }
  }

  private static func decoded(_ arguments: FunctionArguments, _ alphabet: Base64.Alphabet) throws(LibraryError) -> AlloyValue {
    guard let bytes = Base64.decode(try arguments.only().string(0), alphabet) else {
      throw LibraryError("illegal base64 data", argument: 0)
    }
    return .string(String(decoding: bytes, as: UTF8.self))
  }

  /// Go's `url.QueryEscape`.
  private static func percentEncoded(_ text: String) -> String {
    let digits = Array("0123456789ABCDEF".utf8)
    var encoded: [UInt8] = []
    for byte in text.utf8 {
      switch byte {
      case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "~"):
        encoded.append(byte)
      case 0x20: encoded.append(UInt8(ascii: "+"))
      default: encoded += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
      }
    }
    return String(decoding: encoded, as: UTF8.self)
  }

  private static func percentDecoded(_ text: String) -> String? {
    var decoded: [UInt8] = []
    var rest = Array(text.utf8)[...]
    while let byte = rest.popFirst() {
      switch byte {
      case UInt8(ascii: "+"): decoded.append(0x20)
      case UInt8(ascii: "%"):
        guard rest.count >= 2, let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) else { return nil }
        decoded.append(value)
        rest = rest.dropFirst(2)
      default: decoded.append(byte)
      }
    }
    return String(decoding: decoded, as: UTF8.self)
  }
}

/// RFC 4648, with padding.
enum Base64 {
  enum Alphabet { case standard, url }

  private static func letters(_ alphabet: Alphabet) -> [UInt8] {
    Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789".utf8) + Array((alphabet == .url ? "-_" : "+/").utf8)
  }

  static func encode(_ bytes: [UInt8], _ alphabet: Alphabet) -> String {
    let letters = letters(alphabet)
    var text: [UInt8] = []
    for start in stride(from: 0, to: bytes.count, by: 3) {
      let group = bytes[start..<min(start + 3, bytes.count)]
      var word: UInt32 = 0
      for index in 0..<3 { word = word << 8 | (index < group.count ? UInt32(group[start + index]) : 0) }
      for index in 0..<4 {
        text.append(index <= group.count ? letters[Int(word >> UInt32(18 - index * 6)) & 63] : UInt8(ascii: "="))
      }
    }
    return String(decoding: text, as: UTF8.self)
  }

  /// - Returns: `nil` for anything else than whole groups of that alphabet; newlines are passed over.
  static func decode(_ text: String, _ alphabet: Alphabet) -> [UInt8]? {
    let letters = letters(alphabet)
    var values = Array(text.utf8).filter { $0 != 0x0a && $0 != 0x0d }[...]
    guard values.count % 4 == 0 else { return nil }
    var padding = 0
    while values.last == UInt8(ascii: "="), padding < 2 {
      values.removeLast()
      padding += 1
    }
    var bytes: [UInt8] = []
    var word: UInt32 = 0
    var bits = 0
    for letter in values {
      guard let value = letters.firstIndex(of: letter) else { return nil }
      word = word << 6 | UInt32(value)
      bits += 6
      if bits >= 8 {
        bits -= 8
        bytes.append(UInt8(truncatingIfNeeded: word >> UInt32(bits)))
      }
      word &= 0xffff
    }
    return bytes
  }
}

/// The paths people write: `$.a.b[0]`, `.a[*].b`, `$..name`.
enum JSONPath {
  static func find(_ path: String, in root: AlloyValue) throws(LibraryError) -> [AlloyValue] {
    var rest = Array(path.unicodeScalars)[...]
    if rest.first == "$" { rest.removeFirst() }
    var found = [root]
    while let scalar = rest.popFirst() {
      var isDeep = false
      switch scalar {
      case ".":
        if rest.first == "." {
          rest.removeFirst()
          isDeep = true
        }
        if rest.first == "[" { continue }
        let name = rest.prefix { $0 != "." && $0 != "[" }
        guard !name.isEmpty else { throw LibraryError("invalid path \(AlloyValue.string(path).written)", argument: 1) }
        rest = rest.dropFirst(name.count)
        found = step(String(String.UnicodeScalarView(name)), isDeep ? found.flatMap { descendants($0) } : found)
      case "[":
        let inner = rest.prefix { $0 != "]" }
        guard inner.count < rest.count else { throw LibraryError("invalid path \(AlloyValue.string(path).written)", argument: 1) }
        rest = rest.dropFirst(inner.count + 1)
        var name = String(String.UnicodeScalarView(inner))
        if let quote = name.first, quote == "'" || quote == "\"", name.last == quote, name.utf8.count > 1 {
          name = String(name.dropFirst().dropLast())
        }
        found = step(name, found)
      default: throw LibraryError("invalid path \(AlloyValue.string(path).written)", argument: 1)
      }
      guard found.count <= Evaluator.maximumSize else { throw LibraryError("path finds too much", argument: 1) }
    }
    return found
  }

  private static func step(_ name: String, _ values: [AlloyValue]) -> [AlloyValue] {
    values.flatMap { value -> [AlloyValue] in
      switch value {
      case .object(let fields):
        if name == "*" { return fields.sorted { $0.key < $1.key }.map(\.value) }
        return fields[name].map { [$0] } ?? []
      case .array(let elements):
        if name == "*" { return elements }
        guard let index = Int(name), index > -elements.count - 1, index < elements.count else { return [] }
        return [elements[index < 0 ? elements.count + index : index]]
      default: return []
      }
    }
  }

  private static func descendants(_ value: AlloyValue) -> [AlloyValue] {
    switch value {
    case .object(let fields): [value] + fields.sorted { $0.key < $1.key }.flatMap { descendants($0.value) }
    case .array(let elements): [value] + elements.flatMap { descendants($0) }
    default: [value]
    }
  }
}
