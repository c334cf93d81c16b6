/// Reads the grammar. It goes on after an error, so that one look finds all of them; a line is blamed once.
struct Parser {
  /// Brackets, blocks and unary operators inside one another.
  static let maximumDepth = 100
  static let maximumProblems = 100

  let file: SourceFile
  private var lexer: Lexer
  private(set) var token: Token
  private var problems: [Diagnostic] = []
  private var depth = 0
  /// Operators in a row, in the value that is being read.
  var chained = 0
  static let maximumChain = 500

  static func parse(_ file: SourceFile) -> (body: Body, problems: [Diagnostic]) {
    // A file that is wrong does not change what the one behind it means.
    var all = Body(statements: [])
    var problems: [Diagnostic] = []
    for stretch in file.stretches {
      let (body, found) = parse(file, stretch)
      all.statements += body.statements
      problems += found
    }
    return (all, Array(problems.prefix(maximumProblems)))
  }

  private static func parse(_ file: SourceFile, _ stretch: Range<Int>) -> (body: Body, problems: [Diagnostic]) {
    var parser = Parser(file, stretch)
    let body = parser.body(isFile: true)
    var problems = parser.lexer.problems + parser.problems
    problems.sort { $0.range.start < $1.range.start }
    // The lexer's word about a line is better than what follows from it.
    var blamed: Set<Int> = Set(parser.lexer.problems.map { file.position(of: $0.range.start).line })
    let own = problems.filter { problem in
      if parser.lexer.problems.contains(problem) { return true }
      return blamed.insert(file.position(of: problem.range.start).line).inserted
    }
    return (body, Array(own.prefix(maximumProblems)))
  }

  private init(_ file: SourceFile, _ stretch: Range<Int>) {
    self.file = file
    lexer = Lexer(file, stretch)
    token = lexer.next()
  }

  mutating func advance() { token = lexer.next() }

  func unexpected(_ expected: String) -> Diagnostic { Diagnostic(token.range, "expected \(expected), got \(token.kind.rawValue)") }

  @discardableResult
  mutating func expect(_ kind: Token.Kind) throws(Diagnostic) -> Token {
    guard token.kind == kind else { throw unexpected(kind.rawValue) }
    let found = token
    advance()
    return found
  }

  /// Runs `read` one level deeper.
  mutating func nested<Result>(_ read: (inout Parser) throws(Diagnostic) -> Result) throws(Diagnostic) -> Result {
    guard depth < Self.maximumDepth else { throw Diagnostic(token.range, "nested more than \(Self.maximumDepth) levels deep") }
    depth += 1
    defer { depth -= 1 }
    return try read(&self)
  }

  // MARK: Statements

  /// Up to the end of the file or the brace that closes the block, which is not read.
  private mutating func body(isFile: Bool) -> Body {
    var body = Body()
    while token.kind != .end {
      if token.kind == .terminator {
        advance()
        continue
      }
      if token.kind == .close {
        if !isFile { break }
        problems.append(unexpected("attribute or block name"))
        advance()
        continue
      }
      do throws(Diagnostic) {
        body.statements.append(try statement())
        if token.kind != .terminator, token.kind != .end, isFile || token.kind != .close { throw unexpected("TERMINATOR") }
      } catch {
        problems.append(error)
        skipStatement()
      }
    }
    return body
  }

  /// To the end of the statement: past the blocks and lists that begin in it.
  private mutating func skipStatement() {
    var open = 0
    while token.kind != .end {
      switch token.kind {
      case .open, .openBracket, .openParenthesis: open += 1
      case .close, .closeBracket, .closeParenthesis:
        if open == 0 {
          if token.kind == .close { return }
        } else {
          open -= 1
        }
      case .terminator: if open == 0 { return }
      default: break
      }
      advance()
    }
  }

  private mutating func statement() throws(Diagnostic) -> Statement {
    guard token.kind == .identifier else { throw unexpected("attribute or block name") }
    var nameRange = token.range
    var name = [file.text(token.range)]
    advance()
    while token.kind == .dot {
      advance()
      guard token.kind == .identifier else { throw unexpected("IDENT") }
      name.append(file.text(token.range))
      nameRange = nameRange.joined(with: token.range)
      advance()
    }
    var label: String?
    var labelRange: SourceRange?
    switch token.kind {
    case .string:
      labelRange = token.range
      let text = try stringValue(token)
      guard text.isEmpty || Self.isIdentifier(text) else {
        throw Diagnostic(token.range, "expected block label to be a valid identifier, but got \(Self.quoted(text))")
      }
      label = text
      advance()
    case .identifier, .number, .float, .null, .true, .false:
      throw Diagnostic(token.range, "expected block label, got \(token.kind.rawValue)")
    default: break
    }
    switch token.kind {
    case .assign:
      advance()
      if let labelRange { throw Diagnostic(labelRange, "attribute names may not have labels") }
      guard name.count == 1 else {
        throw Diagnostic(nameRange, "attribute names may only consist of a single identifier with no \".\"")
      }
      // `x = name "label" { … }`, which people write who think of blocks as values.
      chained = 0
      return .attribute(Attribute(name: name[0], nameRange: nameRange, value: try expression()))
    case .open:
      return .block(try block(name, nameRange, label, labelRange))
    default:
      throw unexpected(label == nil ? "attribute assignment or block body" : "block body")
    }
  }

  private mutating func block(
    _ name: [String], _ nameRange: SourceRange, _ label: String?, _ labelRange: SourceRange?
  ) throws(Diagnostic) -> Block {
    let open = token.range
    let inner = try nested { (parser) throws(Diagnostic) in
      parser.advance()
      return parser.body(isFile: false)
    }
    guard token.kind == .close else { throw Diagnostic(open, "expected }, got \(token.kind.rawValue)") }
    let range = nameRange.joined(with: token.range)
    advance()
    return Block(name: name, nameRange: nameRange, label: label, labelRange: labelRange, body: inner, range: range)
  }

  static func isIdentifier(_ text: String) -> Bool {
    var lexer = Lexer(SourceFile(name: "", bytes: Array(text.utf8)), 0..<text.utf8.count)
    let token = lexer.next()
    return token.kind == .identifier && token.range.end == text.utf8.count
  }

  static func quoted(_ text: String) -> String { AlloyValue.string(text).written }
}
