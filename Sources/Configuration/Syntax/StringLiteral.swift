/// Go's escapes, and `\'`.
enum StringLiteral {
  /// - Returns: `nil` when an escape is none.
  static func unquoted(_ bytes: ArraySlice<UInt8>) -> String? {
    var text: [UInt8] = []
    var rest = bytes[...]
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "\\") else {
        text.append(byte)
        continue
      }
      guard let escape = rest.popFirst() else { return nil }
      switch escape {
      case UInt8(ascii: "a"): text.append(0x07)
      case UInt8(ascii: "b"): text.append(0x08)
      case UInt8(ascii: "f"): text.append(0x0c)
      case UInt8(ascii: "n"): text.append(0x0a)
      case UInt8(ascii: "r"): text.append(0x0d)
      case UInt8(ascii: "t"): text.append(0x09)
      case UInt8(ascii: "v"): text.append(0x0b)
      case UInt8(ascii: "\\"), UInt8(ascii: "\""), UInt8(ascii: "'"): text.append(escape)
      case UInt8(ascii: "0")...UInt8(ascii: "7"):
        rest = rest.startIndex > bytes.startIndex ? bytes[(rest.startIndex - 1)...] : rest
        guard let value = number(&rest, digits: 3, radix: 8), value < 256 else { return nil }
        text.append(UInt8(value))
      case UInt8(ascii: "x"):
        guard let value = number(&rest, digits: 2, radix: 16) else { return nil }
        text.append(UInt8(value))
      case UInt8(ascii: "u"), UInt8(ascii: "U"):
        guard let value = number(&rest, digits: escape == UInt8(ascii: "u") ? 4 : 8, radix: 16),
          let scalar = Unicode.Scalar(value)
        else { return nil }
        text.append(contentsOf: String(Character(scalar)).utf8)
      default: return nil
      }
    }
    return String(decoding: text, as: UTF8.self)
  }

  private static func number(_ rest: inout ArraySlice<UInt8>, digits: Int, radix: Int) -> UInt32? {
    guard rest.count >= digits else { return nil }
    let text = String(decoding: rest.prefix(digits), as: UTF8.self)
    rest = rest.dropFirst(digits)
    // A sign is no digit, though the initializer below takes one.
    guard text.utf8.first != 0x2b, text.utf8.first != 0x2d else { return nil }
    return UInt32(text, radix: radix)
  }
}
