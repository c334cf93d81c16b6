/// Cuts a configuration into tokens. A newline ends a statement only where one can end (`TERMINATOR`); elsewhere it is space.
struct Lexer {
  private let file: SourceFile
  private var position: Int
  private let end: Int
  private var endsStatement = false
  private(set) var problems: [Diagnostic] = []

  /// - Parameter stretch: of the file's bytes; nothing beyond it is looked at.
  init(_ file: SourceFile, _ stretch: Range<Int>) {
    self.file = file
    end = stretch.upperBound
    // A byte order mark comes first or not at all.
    position = stretch.lowerBound + (file.bytes[stretch].starts(with: [0xef, 0xbb, 0xbf]) ? 3 : 0)
  }

  private var byte: UInt8? { position < end ? file.bytes[position] : nil }
  private func byte(after count: Int) -> UInt8? { position + count < end ? file.bytes[position + count] : nil }

  private mutating func report(_ start: Int, _ end: Int, _ message: String) {
    problems.append(Diagnostic(SourceRange(start: start, end: end), message))
  }

  mutating func next() -> Token {
    while let byte {
      if byte == 0x0a {
        position += 1
        if endsStatement {
          endsStatement = false
          return Token(kind: .terminator, range: SourceRange(start: position - 1, end: position))
        }
      } else if byte == 0x20 || byte == 0x09 || byte == 0x0d {
        position += 1
      } else if byte == UInt8(ascii: "/"), let after = self.byte(after: 1), after == UInt8(ascii: "/") || after == UInt8(ascii: "*") {
        if skipComment(isBlock: after == UInt8(ascii: "*")), endsStatement {
          endsStatement = false
          return Token(kind: .terminator, range: SourceRange(start: position, end: position))
        }
      } else {
        break
      }
    }
    let start = position
    guard let byte else {
      // The last statement needs no newline.
      if endsStatement {
        endsStatement = false
        return Token(kind: .terminator, range: SourceRange(start: start, end: start))
      }
      return Token(kind: .end, range: SourceRange(start: start, end: start))
    }
    let kind = token(beginningWith: byte)
    switch kind {
    case .identifier, .number, .float, .string, .null, .true, .false, .closeParenthesis, .closeBracket, .close, .illegal:
      endsStatement = true
    default: endsStatement = false
    }
    return Token(kind: kind, range: SourceRange(start: start, end: position))
  }

  /// - Returns: whether a newline was in it.
  private mutating func skipComment(isBlock: Bool) -> Bool {
    let start = position
    position += 2
    guard isBlock else {
      while let byte, byte != 0x0a { position += 1 }
      return false
    }
    var hasNewline = false
    while let byte {
      position += 1
      if byte == 0x0a { hasNewline = true }
      if byte == UInt8(ascii: "*"), self.byte == UInt8(ascii: "/") {
        position += 1
        return hasNewline
      }
    }
    report(start, start + 2, "block comment not terminated")
    return hasNewline
  }

  private mutating func token(beginningWith byte: UInt8) -> Token.Kind {
    switch byte {
    case UInt8(ascii: "\""): return string()
    case UInt8(ascii: "`"): return rawString()
    case UInt8(ascii: "'"): return singleQuoted()
    case 0x30...0x39: return number()
    case UInt8(ascii: "."):
      if let digit = self.byte(after: 1), (0x30...0x39).contains(digit) { return number() }
    default: if isLetter(at: position) != nil { return word() }
    }
    for length in [2, 1] {
      let text = String(decoding: file.bytes[position..<min(position + length, end)], as: UTF8.self)
      if let kind = Self.symbols[text] {
        position += length
        return kind
      }
    }
    let start = position
    position += 1
    while let more = self.byte, more & 0xc0 == 0x80 { position += 1 }
    report(
      start, position,
      byte == 0 ? "illegal character NUL" : "illegal character \(Self.quoted(file.text(SourceRange(start: start, end: position))))")
    return .illegal
  }

  private static func quoted(_ text: String) -> String {
    guard let scalar = text.unicodeScalars.first, text.unicodeScalars.count == 1 else { return "in the text" }
    let hex = String(scalar.value, radix: 16, uppercase: true)
    let code = "U+" + String(repeating: "0", count: max(0, 4 - hex.utf8.count)) + hex
    return scalar.value < 0x20 || scalar.value == 0x7f ? code : "\(code) '\(scalar)'"
  }

  private static let symbols: [String: Token.Kind] = {
    let kinds: [Token.Kind] = [
      .or, .and, .not, .equal, .notEqual, .less, .lessOrEqual, .greater, .greaterOrEqual, .assign, .plus, .minus, .times,
      .divided, .remainder, .power, .open, .close, .openParenthesis, .closeParenthesis, .openBracket, .closeBracket, .comma, .dot,
    ]
    return Dictionary(uniqueKeysWithValues: kinds.map { ($0.rawValue, $0) })
  }()

  /// The length in bytes of the letter at `offset`.
  private func isLetter(at offset: Int) -> Int? {
    guard offset < end else { return nil }
    let byte = file.bytes[offset]
    if byte < 0x80 { return byte == 0x5f || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte) ? 1 : nil }
    let length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1
    let text = String(decoding: file.bytes[offset..<min(offset + length, end)], as: UTF8.self)
    guard text.unicodeScalars.count == 1, let scalar = text.unicodeScalars.first, scalar != "\u{fffd}" else { return nil }
    switch scalar.properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: return length
    default: return nil
    }
  }

  private mutating func word() -> Token.Kind {
    let start = position
    while true {
      if let length = isLetter(at: position) {
        position += length
      } else if let byte, (0x30...0x39).contains(byte) {
        position += 1
      } else {
        break
      }
    }
    switch file.text(SourceRange(start: start, end: position)) {
    case "true": return .true
    case "false": return .false
    case "null": return .null
    default: return .identifier
    }
  }

  private mutating func digits() {
    while let byte, (0x30...0x39).contains(byte) { position += 1 }
  }

  private mutating func number() -> Token.Kind {
    let start = position
    var kind = Token.Kind.number
    digits()
    if byte == UInt8(ascii: ".") {
      kind = .float
      position += 1
      digits()
    }
    if byte == UInt8(ascii: "e") || byte == UInt8(ascii: "E") {
      kind = .float
      position += 1
      if byte == UInt8(ascii: "+") || byte == UInt8(ascii: "-") { position += 1 }
      let exponent = position
      digits()
      if position == exponent { report(start, position, "exponent has no digits") }
    }
    return kind
  }

  private mutating func string() -> Token.Kind {
    let start = position
    position += 1
    while let byte {
      if byte == 0x0a { break }
      position += 1
      if byte == UInt8(ascii: "\"") { return .string }
      if byte == UInt8(ascii: "\\"), let escaped = self.byte, escaped != 0x0a { position += 1 }
    }
    report(start, position, "string literal not terminated")
    return .illegal
  }

  private mutating func rawString() -> Token.Kind {
    let start = position
    position += 1
    while let byte {
      position += 1
      if byte == UInt8(ascii: "`") { return .string }
    }
    report(start, start + 1, "raw string literal not terminated")
    return .illegal
  }

  private mutating func singleQuoted() -> Token.Kind {
    let start = position
    position += 1
    while let byte, byte != 0x0a {
      position += 1
      if byte == UInt8(ascii: "'") { break }
    }
    report(start, position, "illegal single-quoted string; use double quotes")
    return .illegal
  }
}
