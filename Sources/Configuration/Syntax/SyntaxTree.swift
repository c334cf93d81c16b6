/// A body: attributes and blocks in the order they were written.
struct Body: Sendable {
  var statements: [Statement] = []
}

enum Statement: Sendable {
  case attribute(Attribute)
  case block(Block)
}

struct Attribute: Sendable {
  var name: String
  var nameRange: SourceRange
  var value: Expression
}

struct Block: Sendable {
  /// `["pyroscope", "write"]`
  var name: [String]
  var nameRange: SourceRange
  /// `nil` when there is none.
  var label: String?
  var labelRange: SourceRange?
  var body: Body
  /// From the name to the closing brace.
  var range: SourceRange

  var fullName: String { name.joined(separator: ".") }
  /// Name and label.
  var headRange: SourceRange { labelRange.map { nameRange.joined(with: $0) } ?? nameRange }
}

struct Expression: Sendable {
  indirect enum Kind: Sendable {
    case literal(AlloyValue)
    case identifier(String)
    case access(Expression, String)
    case index(Expression, Expression)
    case call(Expression, [Expression])
    case array([Expression])
    case object([Field])
    case unary(Token.Kind, Expression)
    case binary(Expression, Token.Kind, Expression)
    case parenthesized(Expression)
  }
  struct Field: Sendable {
    var name: String
    var value: Expression
  }
  var kind: Kind
  var range: SourceRange
}
