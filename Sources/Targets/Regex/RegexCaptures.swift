/// Finds what each group of a matching text took: all ways at once, the preferred first, as Pike's machine does.
struct RegexCaptures {
  private let program: RegexProgram
  private let slotCount: Int
  /// Ways in order of preference: where each stands and, `slotCount` a way, its slots.
  private var current: [Int32] = []
  private var currentSlots: [Int32] = []
  private var following: [Int32] = []
  private var followingSlots: [Int32] = []
  /// By step: the round in which it was last reached.
  private var reached: [Int]
  private var round = 0

  init(_ program: RegexProgram) {
    self.program = program
    slotCount = program.groupNames.count * 2
    reached = [Int](repeating: 0, count: program.steps.count)
  }

  /// - Returns: two byte offsets a group, -1 for a group that took no part; `nil` when the text does not match.
  mutating func match(_ text: Span<UInt8>) -> [Int32]? {
    current = []
    currentSlots = []
    round += 1
    var slots = [Int32](repeating: -1, count: slotCount)
    var position = 0
    var before = RegexContext.Neighbour.edge
    var upcoming = neighbour(in: text, at: 0)
    slots[0] = 0
    add(program.start, &slots, 0, RegexContext(before: before, after: upcoming))
    swap()
    while position < text.count {
      let letter = program.alphabet.letter(in: text, at: &position)
      before = upcoming
      upcoming = neighbour(in: text, at: position)
      let context = RegexContext(before: before, after: upcoming)
      round += 1
      for way in current.indices {
        let step = program.steps[Int(current[way])]
        guard step.kind == .scalar, program.alphabet.contains(letter, step.argument) else { continue }
        for slot in 0..<slotCount { slots[slot] = currentSlots[way * slotCount + slot] }
        add(step.next, &slots, Int32(truncatingIfNeeded: position), context)
      }
      if following.isEmpty { return nil }
      swap()
    }
    guard let way = current.firstIndex(where: { program.steps[Int($0)].kind == .match }) else { return nil }
    var result = Array(currentSlots[(way * slotCount)..<((way + 1) * slotCount)])
    result[1] = Int32(truncatingIfNeeded: text.count)
    return result
  }

  private mutating func swap() {
    Swift.swap(&current, &following)
    Swift.swap(&currentSlots, &followingSlots)
    following.removeAll(keepingCapacity: true)
    followingSlots.removeAll(keepingCapacity: true)
  }

  private func neighbour(in text: Span<UInt8>, at position: Int) -> RegexContext.Neighbour {
    guard position < text.count else { return .edge }
    var place = position
    return program.alphabet.neighbour(program.alphabet.letter(in: text, at: &place))
  }

  private enum Task {
    case follow(Int32)
    case restore(slot: Int, value: Int32)
  }

  /// Follows the steps that take no scalar, in order of preference; a step reached before by a better way is left alone.
  private mutating func add(_ start: Int32, _ slots: inout [Int32], _ position: Int32, _ context: RegexContext) {
    var tasks = [Task.follow(start)]
    while let task = tasks.popLast() {
      guard case .follow(let number) = task else {
        if case .restore(let slot, let value) = task { slots[slot] = value }
        continue
      }
      guard reached[Int(number)] != round else { continue }
      reached[Int(number)] = round
      let step = program.steps[Int(number)]
      switch step.kind {
      case .scalar, .match:
        following.append(number)
        followingSlots.append(contentsOf: slots)
      case .split:
        tasks.append(.follow(step.argument))
        tasks.append(.follow(step.next))
      case .save:
        let slot = Int(step.argument)
        tasks.append(.restore(slot: slot, value: slots[slot]))
        slots[slot] = position
        tasks.append(.follow(step.next))
      case .assertion: if context.satisfies(step.argument) { tasks.append(.follow(step.next)) }
      }
    }
  }
}
