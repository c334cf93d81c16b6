/// Says whether a text matches, a table look-up a byte: sets of steps become states when they are first met.
struct RegexAutomaton {
  /// Cells of the table; when it is full it is begun anew, so a hostile expression costs time in proportion and no memory.
  private static let maximumCells = 1 << 19

  private struct State: Hashable {
    /// Ascending; before the steps that take no scalar have been followed.
    var steps: [Int32]
    var before: RegexContext.Neighbour
  }

  private let program: RegexProgram
  private let hasAssertions: Bool
  private let width: Int
  private var states: [State] = []
  private var index: [State: Int32] = [:]
  /// By state and letter, the last column being the end of the text. -1: not yet known. -2: no way on. At the end: 1 matches.
  private var table: [Int32] = []
  private var visited: [Bool]

  init(_ program: RegexProgram) {
    self.program = program
    hasAssertions = program.steps.contains { $0.kind == .assertion }
    width = program.alphabet.count + 1
    visited = [Bool](repeating: false, count: program.steps.count)
    begin()
  }

  private mutating func begin() {
    states = []
    index = [:]
    table = []
    _ = number(of: State(steps: [program.start], before: hasAssertions ? .edge : .other))
  }

  private mutating func number(of state: State) -> Int32 {
    if let known = index[state] { return known }
    let number = Int32(states.count)
    states.append(state)
    index[state] = number
    table.append(contentsOf: repeatElement(-1, count: width))
    return number
  }

  mutating func matches(_ text: Span<UInt8>) -> Bool {
    var state: Int32 = 0
    var position = 0
    while position < text.count {
      let letter = program.alphabet.letter(in: text, at: &position)
      var next = table[Int(state) &* width &+ letter]
      if next == -1 { next = step(&state, letter) }
      if next == -2 { return false }
      state = next
    }
    let end = Int(state) &* width &+ width &- 1
    if table[end] == -1 {
      let reached = closure(of: states[Int(state)], after: .edge)
      table[end] = reached.contains { program.steps[Int($0)].kind == .match } ? 1 : -2
    }
    return table[end] == 1
  }

  /// Finds where `letter` leads from `state`, whose number changes when the table had to be begun anew.
  private mutating func step(_ state: inout Int32, _ letter: Int) -> Int32 {
    if table.count + width > Self.maximumCells, states.count > 1 {
      let here = states[Int(state)]
      begin()
      state = number(of: here)
    }
    let from = states[Int(state)]
    let neighbour: RegexContext.Neighbour = hasAssertions ? program.alphabet.neighbour(letter) : .other
    var following: Set<Int32> = []
    for step in closure(of: from, after: neighbour) {
      let step = program.steps[Int(step)]
      if step.kind == .scalar, program.alphabet.contains(letter, step.argument) { following.insert(step.next) }
    }
    let next = following.isEmpty ? -2 : number(of: State(steps: following.sorted(), before: neighbour))
    table[Int(state) &* width &+ letter] = next
    return next
  }

  /// The steps that take a scalar or match, reached without taking one.
  private mutating func closure(of state: State, after: RegexContext.Neighbour) -> [Int32] {
    let context = RegexContext(before: state.before, after: after)
    var reached: [Int32] = []
    var pending = state.steps
    var seen: [Int32] = []
    while let number = pending.popLast() {
      guard !visited[Int(number)] else { continue }
      visited[Int(number)] = true
      seen.append(number)
      let step = program.steps[Int(number)]
      switch step.kind {
      case .scalar, .match: reached.append(number)
      case .split:
        pending.append(step.argument)
        pending.append(step.next)
      case .save: pending.append(step.next)
      case .assertion: if context.satisfies(step.argument) { pending.append(step.next) }
      }
    }
    for number in seen { visited[Int(number)] = false }
    return reached
  }
}
