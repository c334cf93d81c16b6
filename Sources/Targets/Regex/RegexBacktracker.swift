/// Finds what each group of a matching text took, one way after the other, never the same step at the same place twice.
///
/// That makes it linear too; it is much faster than all ways at once where steps times bytes are few, as they nearly always are.
struct RegexBacktracker {
  /// Steps times places: what `visited` may hold.
  private static let maximumVisits = 1 << 16

  private let program: RegexProgram
  /// By step and place: the round in which it was tried.
  private var visited: [UInt32] = []
  private var round: UInt32 = 0
  private var slots: [Int32]
  private var jobs: [Job] = []

  /// A step to try at a place, or, when `step` is below 0, slot `-1 - step` to be put back to `place`.
  private struct Job {
    var step: Int32
    var place: Int32
  }

  init(_ program: RegexProgram) {
    self.program = program
    slots = [Int32](repeating: -1, count: program.groupNames.count * 2)
  }

  func fits(_ text: Span<UInt8>) -> Bool {
    let (visits, overflow) = program.steps.count.multipliedReportingOverflow(by: text.count + 1)
    return !overflow && visits <= Self.maximumVisits
  }

  /// As `RegexCaptures.match`, for a text that `fits`.
  mutating func match(_ text: Span<UInt8>) -> [Int32]? {
    let width = program.steps.count
    let needed = width * (text.count + 1)
    if visited.count < needed { visited.append(contentsOf: repeatElement(0, count: needed - visited.count)) }
    if round == .max {
      for index in visited.indices { visited[index] = 0 }
      round = 0
    }
    round += 1
    for index in slots.indices { slots[index] = -1 }
    jobs.removeAll(keepingCapacity: true)
    jobs.append(Job(step: program.start, place: 0))
    guard Self.run(program, text, round, &jobs, &visited, &slots) else { return nil }
    slots[0] = 0
    slots[1] = Int32(truncatingIfNeeded: text.count)
    return slots
  }

  /// Works through `jobs` until the text is matched or there is no way left.
  private static func run(
    _ program: RegexProgram, _ text: Span<UInt8>, _ round: UInt32, _ jobs: inout [Job], _ visits: inout [UInt32],
    _ slotArray: inout [Int32]
  ) -> Bool {
    // Borrowed once: a check for sharing at each step would cost more than the step.
    let steps = program.steps.span
    var visited = visits.mutableSpan
    var slots = slotArray.mutableSpan
    let width = steps.count
    while let job = jobs.popLast() {
      if job.step < 0 {
        slots[Int(-1 - job.step)] = job.place
        continue
      }
      var number = Int(job.step)
      var place = Int(job.place)
      while true {
        let visit = place &* width &+ number
        if visited[visit] == round { break }
        visited[visit] = round
        let step = steps[number]
        number = Int(step.next)
        switch step.kind {
        case .match:
          if place == text.count { return true }
        case .scalar:
          if place < text.count, program.alphabet.contains(program.alphabet.letter(in: text, at: &place), step.argument) { continue }
        case .split:
          jobs.append(Job(step: step.argument, place: Int32(truncatingIfNeeded: place)))
          continue
        case .save:
          jobs.append(Job(step: -1 - step.argument, place: slots[Int(step.argument)]))
          slots[Int(step.argument)] = Int32(truncatingIfNeeded: place)
          continue
        case .assertion:
          if context(program.alphabet, in: text, at: place).satisfies(step.argument) { continue }
        }
        break
      }
    }
    return false
  }

  private static func context(_ alphabet: ScalarAlphabet, in text: Span<UInt8>, at place: Int) -> RegexContext {
    var context = RegexContext(before: .edge, after: .edge)
    if place < text.count {
      var next = place
      context.after = alphabet.neighbour(alphabet.letter(in: text, at: &next))
    }
    if place > 0 {
      var start = place - 1
      while start > 0, text[start] & 0xc0 == 0x80 { start -= 1 }
      context.before = alphabet.neighbour(alphabet.letter(in: text, at: &start))
    }
    return context
  }
}
