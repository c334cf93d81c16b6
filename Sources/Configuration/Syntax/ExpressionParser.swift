extension Parser {
  private static let levels: [[Token.Kind]] = [
    [.or], [.and], [.equal, .notEqual, .less, .lessOrEqual, .greater, .greaterOrEqual], [.plus, .minus],
    [.times, .divided, .remainder],
  ]

  mutating func expression() throws(Diagnostic) -> Expression {
    try nested { (parser) throws(Diagnostic) in try parser.binary(level: 0) }
  }

  private mutating func binary(level: Int) throws(Diagnostic) -> Expression {
    guard level < Self.levels.count else { return try power() }
    var left = try binary(level: level + 1)
    while Self.levels[level].contains(token.kind) {
      let operation = token.kind
      advance()
      let right = try binary(level: level + 1)
      left = Expression(kind: .binary(left, operation, right), range: left.range.joined(with: right.range))
      // A chain of operators is a tree as deep as it is long.
      chained += 1
      guard chained <= Self.maximumChain else { throw Diagnostic(left.range, "more than \(Self.maximumChain) operators in one value") }
    }
    return left
  }

  private mutating func power() throws(Diagnostic) -> Expression {
    let base = try unary()
    guard token.kind == .power else { return base }
    advance()
    let exponent = try nested { (parser) throws(Diagnostic) in try parser.power() }
    return Expression(kind: .binary(base, .power, exponent), range: base.range.joined(with: exponent.range))
  }

  private mutating func unary() throws(Diagnostic) -> Expression {
    guard token.kind == .not || token.kind == .minus else { return try postfix() }
    let operation = token
    advance()
    let operand = try nested { (parser) throws(Diagnostic) in try parser.unary() }
    return Expression(kind: .unary(operation.kind, operand), range: operation.range.joined(with: operand.range))
  }

  private mutating func postfix() throws(Diagnostic) -> Expression {
    var value = try primary()
    while true {
      switch token.kind {
      case .dot:
        advance()
        guard token.kind == .identifier else { throw unexpected("IDENT") }
        value = Expression(kind: .access(value, file.text(token.range)), range: value.range.joined(with: token.range))
        advance()
      case .openBracket:
        advance()
        let index = try expression()
        let close = try expect(.closeBracket)
        value = Expression(kind: .index(value, index), range: value.range.joined(with: close.range))
      case .openParenthesis:
        advance()
        let arguments = try elements(until: .closeParenthesis)
        value = Expression(kind: .call(value, arguments.values), range: value.range.joined(with: arguments.close))
      default: return value
      }
      chained += 1
      guard chained <= Self.maximumChain else { throw Diagnostic(value.range, "more than \(Self.maximumChain) operators in one value") }
    }
  }

  /// Expressions with commas between them, the last one's optional.
  private mutating func elements(until close: Token.Kind) throws(Diagnostic) -> (values: [Expression], close: SourceRange) {
    var values: [Expression] = []
    while token.kind != close {
      values.append(try expression())
      if token.kind == close { break }
      guard token.kind == .comma else { throw Diagnostic(token.range, "missing ',' in expression list") }
      advance()
    }
    let end = token.range
    advance()
    return (values, end)
  }

  private mutating func primary() throws(Diagnostic) -> Expression {
    let first = token
    switch first.kind {
    case .null, .true, .false, .number, .float, .string:
      let value = try literal(first)
      advance()
      return Expression(kind: .literal(value), range: first.range)
    case .identifier:
      advance()
      // `a = b "label" { … }` and `a = b { … }`
      if token.kind == .string || token.kind == .open { throw Diagnostic(first.range, "cannot use a block as an expression") }
      return Expression(kind: .identifier(file.text(first.range)), range: first.range)
    case .openParenthesis:
      advance()
      let inner = try expression()
      let close = try expect(.closeParenthesis)
      return Expression(kind: .parenthesized(inner), range: first.range.joined(with: close.range))
    case .openBracket:
      advance()
      let elements = try elements(until: .closeBracket)
      return Expression(kind: .array(elements.values), range: first.range.joined(with: elements.close))
    case .open: return try object()
    default: throw unexpected("expression")
    }
  }

  private mutating func object() throws(Diagnostic) -> Expression {
    let open = token.range
    advance()
    var fields: [Expression.Field] = []
    while token.kind != .close {
      let name: String
      switch token.kind {
      case .identifier: name = file.text(token.range)
      case .string: name = try stringValue(token)
      default: throw unexpected("field name (string or identifier)")
      }
      let nameRange = token.range
      advance()
      // `{ name "label" { … } }`
      if token.kind == .string || token.kind == .open { throw Diagnostic(nameRange, "cannot use a block as an expression") }
      guard token.kind == .assign else { throw unexpected("=") }
      advance()
      fields.append(Expression.Field(name: name, value: try expression()))
      if token.kind == .close { break }
      guard token.kind == .comma else { throw Diagnostic(token.range, "missing ',' in field list") }
      advance()
    }
    let range = open.joined(with: token.range)
    advance()
    return Expression(kind: .object(fields), range: range)
  }

  private func literal(_ token: Token) throws(Diagnostic) -> AlloyValue {
    let text = file.text(token.range)
    switch token.kind {
    case .true: return .bool(true)
    case .false: return .bool(false)
    case .number:
      if let integer = Int64(text) { return .number(.integer(integer)) }
      guard let number = Double(text), number.isFinite else { throw Diagnostic(token.range, "number \(text) is out of range") }
      return .number(.float(number))
    case .float:
      let spelled = text.hasPrefix(".") ? "0" + text : text
      guard let number = Double(spelled.replacing(".e", with: ".0e").replacing(".E", with: ".0e") + (spelled.hasSuffix(".") ? "0" : "")),
        number.isFinite
      else {
        throw Diagnostic(token.range, "number \(text) is out of range")
      }
      return .number(.float(number))
    case .string: return .string(try stringValue(token))
    default: return .null
    }
  }

  func stringValue(_ token: Token) throws(Diagnostic) -> String {
    let bytes = file.bytes[token.range.start..<token.range.end]
    if bytes.first == UInt8(ascii: "`") {
      return String(decoding: bytes.dropFirst().dropLast().filter { $0 != 0x0d }, as: UTF8.self)
    }
    guard let text = StringLiteral.unquoted(bytes.dropFirst().dropLast()) else {
      throw Diagnostic(token.range, "invalid escape sequence in string literal")
    }
    return text
  }
}
