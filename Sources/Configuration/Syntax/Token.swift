struct Token: Hashable, Sendable {
  enum Kind: String, Hashable, Sendable {
    case end = "EOF"
    case illegal = "ILLEGAL"
    case terminator = "TERMINATOR"
    case identifier = "IDENT"
    case number = "NUMBER"
    case float = "FLOAT"
    case string = "STRING"
    case null, `true`, `false`
    case or = "||"
    case and = "&&"
    case not = "!"
    case equal = "=="
    case notEqual = "!="
    case less = "<"
    case lessOrEqual = "<="
    case greater = ">"
    case greaterOrEqual = ">="
    case assign = "="
    case plus = "+"
    case minus = "-"
    case times = "*"
    case divided = "/"
    case remainder = "%"
    case power = "^"
    case open = "{"
    case close = "}"
    case openParenthesis = "("
    case closeParenthesis = ")"
    case openBracket = "["
    case closeBracket = "]"
    case comma = ","
    case dot = "."
  }
  var kind: Kind
  var range: SourceRange
}
