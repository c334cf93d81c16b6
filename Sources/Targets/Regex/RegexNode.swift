/// A regular expression as it is read.
indirect enum RegexNode: Hashable, Sendable {
  case empty
  case scalar(ScalarClass)
  case assertion(Assertion)
  case capture(Int, RegexNode)
  case concatenation([RegexNode])
  case alternation([RegexNode])
  /// `maximum` of `nil` is no limit.
  case repetition(RegexNode, minimum: Int, maximum: Int?, greedy: Bool)

  enum Assertion: UInt8, Hashable, Sendable {
    case beginText, endText, beginLine, endLine, wordBoundary, noWordBoundary
  }

  var canBeEmpty: Bool {
    switch self {
    case .empty, .assertion: true
    case .scalar: false
    case .capture(_, let node): node.canBeEmpty
    case .concatenation(let nodes): nodes.allSatisfy(\.canBeEmpty)
    case .alternation(let nodes): nodes.contains(where: \.canBeEmpty)
    case .repetition(let node, let minimum, _, _): minimum == 0 || node.canBeEmpty
    }
  }
}
