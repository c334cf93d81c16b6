/// An expression with what it has learnt about texts so far; cheap to ask again.
package struct RegexMatcher {
  package let program: RegexProgram
  /// What every text begins with that matches.
  let prefix: [UInt8]
  private let shape: Shape
  private var automaton: RegexAutomaton
  private var backtracker: RegexBacktracker
  private var captures: RegexCaptures?

  /// What most expressions of real configurations are, answered without running anything.
  private enum Shape {
    /// A fixed text, then at least so many bytes of anything, which are the group of that number.
    case prefixAndRest([UInt8], minimum: Int, group: Int?)
    case literal([UInt8])
    case general
  }

  package init(_ program: RegexProgram) {
    self.program = program
    shape = Self.shape(of: program.node)
    var prefix: [UInt8] = []
    _ = Self.addLiteral(program.node, to: &prefix)
    self.prefix = prefix
    automaton = RegexAutomaton(program)
    backtracker = RegexBacktracker(program)
  }

  /// Adds what `node` begins with, whatever it matches.
  /// - Returns: whether that is all it matches, so that what follows it follows here too.
  private static func addLiteral(_ node: RegexNode, to prefix: inout [UInt8]) -> Bool {
    switch node {
    case .scalar(let set):
      guard let single = set.single, let scalar = Unicode.Scalar(single) else { return false }
      prefix.append(contentsOf: String(Character(scalar)).utf8)
      return true
    case .capture(_, let inner): return addLiteral(inner, to: &prefix)
    case .concatenation(let nodes): return nodes.allSatisfy { addLiteral($0, to: &prefix) }
    case .empty: return true
    case .repetition(let inner, let minimum, let maximum, _):
      guard minimum > 0 else { return false }
      return addLiteral(inner, to: &prefix) && minimum == 1 && maximum == 1
    case .assertion, .alternation: return false
    }
  }

  private static func shape(of node: RegexNode) -> Shape {
    var items = if case .concatenation(let nodes) = node { nodes } else { [node] }
    var rest: (minimum: Int, group: Int?)?
    if let last = items.last {
      var inner = last
      var group: Int?
      if case .capture(let number, let captured) = last { (group, inner) = (number, captured) }
      if case .repetition(.scalar(.any), let minimum, nil, _) = inner, minimum <= 1 {
        rest = (minimum, group)
        items.removeLast()
      }
    }
    var literal: [UInt8] = []
    for item in items {
      guard case .scalar(let set) = item, let single = set.single, let scalar = Unicode.Scalar(single) else { return .general }
      literal.append(contentsOf: String(Character(scalar)).utf8)
    }
    if let rest { return .prefixAndRest(literal, minimum: rest.minimum, group: rest.group) }
    return .literal(literal)
  }

  package mutating func matches(_ text: Span<UInt8>) -> Bool {
    switch shape {
    case .prefixAndRest(let prefix, let minimum, _): text.count >= prefix.count + minimum && Self.begins(text, with: prefix)
    case .literal(let literal): text.count == literal.count && Self.begins(text, with: literal)
    case .general: automaton.matches(text)
    }
  }

  /// Two byte offsets a group, -1 for a group that took no part; `nil` when the whole text does not match.
  package mutating func groups(_ text: Span<UInt8>) -> [Int32]? {
    guard matches(text) else { return nil }
    let end = Int32(truncatingIfNeeded: text.count)
    var slots = [Int32](repeating: -1, count: program.groupNames.count * 2)
    (slots[0], slots[1]) = (0, end)
    switch shape {
    case .literal: return slots
    case .prefixAndRest(let prefix, _, let group):
      if let group { (slots[group * 2], slots[group * 2 + 1]) = (Int32(prefix.count), end) }
      return slots
    case .general:
      if slots.count == 2 { return slots }
      if backtracker.fits(text) { return backtracker.match(text) }
      // Mutated in place: a copy of the machine for each text would cost more than the match.
      if captures == nil { captures = RegexCaptures(program) }
      return captures?.match(text)
    }
  }

  private static func begins(_ text: Span<UInt8>, with prefix: [UInt8]) -> Bool {
    for index in prefix.indices where text[index] != prefix[index] { return false }
    return true
  }
}

extension RegexMatcher {
  package mutating func matches(_ text: String) -> Bool {
    let utf8 = text.utf8
    return matches(utf8.span)
  }

  /// The text of each group; `nil` for one that took no part, and for all when the text does not match.
  package mutating func groups(of text: String) -> [String?]? {
    let bytes = Array(text.utf8)
    guard let slots = groups(bytes.span) else { return nil }
    var result: [String?] = []
    for group in 0..<(slots.count / 2) {
      let start = Int(slots[group * 2])
      let end = Int(slots[group * 2 + 1])
      result.append(start < 0 || end < start ? nil : String(decoding: bytes[start..<end], as: UTF8.self))
    }
    return result
  }
}
