/// A regular expression made into steps, at most a fixed number of them: matching takes that number times the text's length.
///
/// It is anchored at both ends and `.` matches a newline, as everywhere in Prometheus' relabelling.
package struct RegexProgram: Hashable, Sendable {
  /// The expression as it was written.
  package let source: String
  /// By number; group 0 is the whole match.
  package let groupNames: [String?]

  let steps: [RegexStep]
  let start: Int32
  let classes: [ScalarClass]
  let alphabet: ScalarAlphabet
  let node: RegexNode

  package static let maximumSteps = 10_000

  package init(_ source: String) throws(RegexSyntaxError) {
    let parsed = try RegexParser.parse(source)
    var compiler = RegexCompiler()
    let start = try compiler.compile(parsed.node)
    self.source = source
    self.groupNames = parsed.groupNames
    self.node = parsed.node
    self.steps = compiler.steps
    self.start = start
    self.classes = compiler.classes
    self.alphabet = ScalarAlphabet(compiler.classes, separatingWords: compiler.hasAssertions)
  }

  package static func == (lhs: Self, rhs: Self) -> Bool { lhs.source == rhs.source }
  package func hash(into hasher: inout Hasher) { hasher.combine(source) }
}

struct RegexStep: Hashable, Sendable {
  enum Kind: UInt8, Hashable, Sendable {
    /// Takes one scalar of class `argument`.
    case scalar
    /// Tries `next` first, then `argument`.
    case split
    /// Goes on where assertion `argument` holds.
    case assertion
    /// Notes the place in slot `argument`.
    case save
    case match
  }
  var kind: Kind
  var argument: Int32
  var next: Int32
}

/// Thompson's construction, from the end to the beginning: each node is given the step that follows it.
struct RegexCompiler {
  private(set) var steps = [RegexStep(kind: .match, argument: 0, next: 0)]
  private(set) var classes: [ScalarClass] = []
  private(set) var hasAssertions = false
  private var classIndex: [ScalarClass: Int32] = [:]
  /// Nodes visited: an empty group repeated a thousand times in itself emits nothing and still takes its time.
  private var visits = 0

  mutating func compile(_ node: RegexNode) throws(RegexSyntaxError) -> Int32 { try compile(node, then: 0) }

  private mutating func emit(_ kind: RegexStep.Kind, _ argument: Int32, then next: Int32) throws(RegexSyntaxError) -> Int32 {
    guard steps.count < RegexProgram.maximumSteps else { throw RegexSyntaxError(reason: "expression too large", part: "") }
    steps.append(RegexStep(kind: kind, argument: argument, next: next))
    return Int32(steps.count - 1)
  }

  private mutating func compile(_ node: RegexNode, then next: Int32) throws(RegexSyntaxError) -> Int32 {
    visits += 1
    guard visits <= RegexProgram.maximumSteps * 4 else { throw RegexSyntaxError(reason: "expression too large", part: "") }
    switch node {
    case .empty: return next
    case .scalar(let set): return try emit(.scalar, index(of: set), then: next)
    case .assertion(let assertion):
      hasAssertions = true
      return try emit(.assertion, Int32(assertion.rawValue), then: next)
    case .capture(let group, let inner):
      let end = try emit(.save, Int32(group * 2 + 1), then: next)
      return try emit(.save, Int32(group * 2), then: try compile(inner, then: end))
    case .concatenation(let nodes):
      var following = next
      for node in nodes.reversed() { following = try compile(node, then: following) }
      return following
    case .alternation(let nodes):
      guard var first = nodes.last else { return next }
      var entry = try compile(first, then: next)
      for node in nodes.dropLast().reversed() {
        first = node
        entry = try emit(.split, entry, then: try compile(first, then: next))
      }
      return entry
    case .repetition(let inner, let minimum, let maximum, let greedy):
      return try compile(inner, minimum, maximum, greedy, then: next)
    }
  }

  private mutating func compile(
    _ inner: RegexNode, _ minimum: Int, _ maximum: Int?, _ greedy: Bool, then next: Int32
  ) throws(RegexSyntaxError) -> Int32 {
    var following = next
    if let maximum {
      // x{2,4} is xx(x(x)?)?: whoever takes one less goes straight to the end.
      for _ in 0..<(maximum - minimum) {
        following = try split(try compile(inner, then: following), else: next, greedy)
      }
    } else if minimum == 0 {
      if inner.canBeEmpty {
        // (x+)?: a round that takes nothing is still a round, so it may set its groups once.
        return try split(try loop(inner, greedy, then: next), else: next, greedy)
      }
      let star = try emit(.split, 0, then: 0)
      let body = try compile(inner, then: star)
      steps[Int(star)] = RegexStep(kind: .split, argument: greedy ? next : body, next: greedy ? body : next)
      return star
    } else {
      following = try loop(inner, greedy, then: next)
      for _ in 1..<minimum { following = try compile(inner, then: following) }
      return following
    }
    for _ in 0..<minimum { following = try compile(inner, then: following) }
    return following
  }

  /// x+
  private mutating func loop(_ inner: RegexNode, _ greedy: Bool, then next: Int32) throws(RegexSyntaxError) -> Int32 {
    let again = try emit(.split, 0, then: 0)
    let body = try compile(inner, then: again)
    steps[Int(again)] = RegexStep(kind: .split, argument: greedy ? next : body, next: greedy ? body : next)
    return body
  }

  private mutating func split(_ body: Int32, else next: Int32, _ greedy: Bool) throws(RegexSyntaxError) -> Int32 {
    try emit(.split, greedy ? next : body, then: greedy ? body : next)
  }

  private mutating func index(of set: ScalarClass) -> Int32 {
    if let known = classIndex[set] { return known }
    let index = Int32(classes.count)
    classes.append(set)
    classIndex[set] = index
    return index
  }
}

/// The scalars put into letters: those of one letter are in the same classes of one expression.
struct ScalarAlphabet: Hashable, Sendable {
  private let ascii: [UInt16]
  /// The first scalar of each run, ascending, and the letter of the run.
  private let starts: [UInt32]
  private let letters: [UInt16]
  let count: Int
  /// By class, then by letter.
  private let members: [Bool]
  /// By letter: what the assertions look at.
  let isWord: [Bool]
  let isNewline: [Bool]

  init(_ classes: [ScalarClass], separatingWords: Bool) {
    var boundaries: Set<UInt32> = [0]
    func cut(_ set: ScalarClass) {
      for range in set.ranges {
        boundaries.insert(range.lowerBound)
        if range.upperBound < ScalarClass.maximum { boundaries.insert(range.upperBound + 1) }
      }
    }
    for set in classes { cut(set) }
    if separatingWords {
      cut(.wordCharacters)
      cut(ScalarClass(0x0a))
    }
    starts = boundaries.sorted()
    // Runs that no class tells apart are one letter.
    var known: [[Bool]: UInt16] = [:]
    var letters: [UInt16] = []
    var columns: [[Bool]] = []
    for start in starts {
      var column = classes.map { $0.contains(start) }
      column.append(separatingWords && ScalarClass.wordCharacters.contains(start))
      column.append(separatingWords && start == 0x0a)
      let letter = known[column] ?? UInt16(truncatingIfNeeded: columns.count)
      if known[column] == nil {
        known[column] = letter
        columns.append(column)
      }
      letters.append(letter)
    }
    self.letters = letters
    count = columns.count
    members = classes.indices.flatMap { index in columns.map { $0[index] } }
    isWord = columns.map { $0[classes.count] }
    isNewline = columns.map { $0[classes.count + 1] }
    var ascii: [UInt16] = []
    var run = 0
    for scalar in UInt32(0)..<0x80 {
      while run + 1 < starts.count, starts[run + 1] <= scalar { run += 1 }
      ascii.append(letters[run])
    }
    self.ascii = ascii
  }

  func contains(_ letter: Int, _ set: Int32) -> Bool { members[Int(set) &* count &+ letter] }

  /// Reads the scalar at `position` and moves beyond it. Text is valid UTF-8, as that of a string always is.
  @inline(__always)
  func letter(in text: Span<UInt8>, at position: inout Int) -> Int {
    let byte = text[position]
    position &+= 1
    if byte < 0x80 { return Int(ascii[Int(byte)]) }
    let more = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3
    var scalar = UInt32(byte) & (more == 1 ? 0x1f : more == 2 ? 0x0f : 0x07)
    for _ in 0..<more where position < text.count {
      scalar = scalar << 6 | UInt32(text[position] & 0x3f)
      position &+= 1
    }
    return letter(of: scalar)
  }

  private func letter(of scalar: UInt32) -> Int {
    var low = 0
    var high = starts.count
    while low + 1 < high {
      let middle = (low + high) / 2
      if starts[middle] <= scalar { low = middle } else { high = middle }
    }
    return Int(letters[low])
  }
}
