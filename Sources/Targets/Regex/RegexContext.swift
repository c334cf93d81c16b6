/// What stands on both sides of a place in a text, as far as assertions ask.
struct RegexContext: Hashable {
  enum Neighbour: UInt8, Hashable { case edge, newline, word, other }
  var before: Neighbour
  var after: Neighbour

  func satisfies(_ assertion: Int32) -> Bool {
    switch RegexNode.Assertion(rawValue: UInt8(truncatingIfNeeded: assertion)) {
    case .beginText: before == .edge
    case .endText: after == .edge
    case .beginLine: before == .edge || before == .newline
    case .endLine: after == .edge || after == .newline
    case .wordBoundary: (before == .word) != (after == .word)
    case .noWordBoundary: (before == .word) == (after == .word)
    case nil: false
    }
  }
}

extension ScalarAlphabet {
  func neighbour(_ letter: Int) -> RegexContext.Neighbour {
    isNewline[letter] ? .newline : isWord[letter] ? .word : .other
  }
}
