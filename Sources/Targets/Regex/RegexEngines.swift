/// Every engine's own answer, for comparing them with each other and with another implementation (scripts/compare-regex).
package struct RegexEngines {
  package struct Answers: Hashable, Sendable {
    /// What is asked when only a match is wanted.
    package var matches: Bool
    package var automaton: Bool
    /// Two byte offsets a group; `nil` for no match. What is asked when groups are wanted.
    package var groups: [Int32]?
    /// `nil` inside: the text is too long for it.
    package var backtracker: [Int32]??
    package var captures: [Int32]?
    /// Whether the text begins with what every match is said to begin with.
    package var hasPrefix: Bool
  }
  private var matcher: RegexMatcher
  private var automaton: RegexAutomaton
  private var backtracker: RegexBacktracker
  private var captures: RegexCaptures

  package init(_ program: RegexProgram) {
    matcher = RegexMatcher(program)
    automaton = RegexAutomaton(program)
    backtracker = RegexBacktracker(program)
    captures = RegexCaptures(program)
  }

  package mutating func answers(for text: [UInt8]) -> Answers {
    let span = text.span
    return Answers(
      matches: matcher.matches(span), automaton: automaton.matches(span), groups: matcher.groups(span),
      backtracker: backtracker.fits(span) ? .some(backtracker.match(span)) : nil, captures: captures.match(span),
      hasPrefix: text.starts(with: matcher.prefix))
  }
}
