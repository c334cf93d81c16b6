/// Finds the texts in a configuration that nobody may read in a message, also in one that does not parse.
enum SecretRanges {
  /// Arguments whose values are secrets.
  static let names: Set<String> = [
    "password", "client_secret", "credentials", "bearer_token", "key_pem", "headers", "http_headers",
    "proxy_connect_header", "endpoint_params", "http_header",
  ]

  static func find(in file: SourceFile) -> [SourceRange] { file.stretches.flatMap { find(in: file, $0) } }

  private static func find(in file: SourceFile, _ stretch: Range<Int>) -> [SourceRange] {
    var lexer = Lexer(file, stretch)
    var found: [SourceRange] = []
    var previous: Token?
    /// Brackets open since the argument began; `nil` outside one.
    var depth: Int?
    while true {
      let token = lexer.next()
      switch token.kind {
      case .end: return found
      case .assign where depth == nil:
        if let previous, previous.kind == .identifier, names.contains(file.text(previous.range)) { depth = 0 }
      case .open, .openBracket, .openParenthesis: depth = depth.map { $0 + 1 }
      case .close, .closeBracket, .closeParenthesis: depth = depth.flatMap { $0 > 0 ? $0 - 1 : nil }
      case .terminator: if depth == 0 { depth = nil }
      case .string, .illegal: if depth != nil { found.append(token.range) }
      default: break
      }
      // `https://user:password@host` is one wherever it stands.
      if token.kind == .string, let inner = password(in: token.range, of: file) { found.append(inner) }
      previous = token
    }
  }

  private static func password(in range: SourceRange, of file: SourceFile) -> SourceRange? {
    let bytes = Array(file.bytes[range.start..<range.end])
    guard let slashes = bytes.indices.dropLast(2).first(where: { Array(bytes[$0..<($0 + 3)]) == Array("://".utf8) }) else { return nil }
    let authority = bytes[(slashes + 3)...].prefix { $0 != 0x2f && $0 != 0x3f && $0 != 0x22 }
    guard let at = authority.lastIndex(of: 0x40), let colon = authority[..<at].firstIndex(of: 0x3a) else { return nil }
    return SourceRange(start: range.start + colon + 1, end: range.start + at)
  }
}
