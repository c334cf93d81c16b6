import Base
import Dispatch
import Synchronization

/// Answers from the units of a compressed `.debug_info` while they are inflated: a unit that holds addresses is read as soon as
/// it is whole, and its bytes are given back, so that the section as a whole is never in memory.
///
/// One thread inflates; the others, and that one when they do not keep up, read units.
final class UnitStream: Sendable {
  private let file: DebugFile
  private let addresses: [UInt64]
  private let preparation: PreparationBudget?
  private let budget: WorkBudget
  private let state = Mutex(State())
  private let source: UnitSource?
  private let news = DispatchSemaphore(value: 0)

  /// Bytes that may be held for a unit that waits to be read, with all behind it: those of units that nobody asked for are
  /// given back with it.
  private static let maximumHeldByteCount = 12 << 20
  /// The same while the unit is being read, when there is nothing else to do than to inflate more.
  private static let maximumBusyByteCount = 48 << 20

  private struct Answered {
    var job: UnitSource.Job
    var answer: UnitAnswer
  }
  private struct State {
    var queue: [UnitSource.Job] = []
    /// Of `queue`, those already taken.
    var taken = 0
    /// Where the units begin that are being read, one a worker at most.
    var reading: Set<Int> = []
    /// Bytes inflated.
    var inflatedByteCount = 0
    var answers: [Answered] = []
    var isInflating = false
    var isEnded = false
    /// A unit needs others, or a limit was met: all of them have to be there.
    var needsWhole = false
    var isDamaged = false
    var waiting = 0

    /// Where the first unit begins that is not read yet: they are queued in the order of the file.
    var oldest: Int? {
      let queued = taken < queue.count ? queue[taken].header.start : nil
      return [reading.min(), queued].compactMap { $0 }.min()
    }
  }

  init(
    _ file: DebugFile, _ packed: PackedInfo, _ addresses: [UInt64], _ preparation: PreparationBudget?, _ budget: WorkBudget
  ) {
    self.file = file
    self.preparation = preparation
    self.budget = budget
    self.addresses = addresses
    source = UnitSource(file.sections, packed, addresses, budget)
  }

  /// The frames at the addresses; `nil` when the units have to be read together.
  func find(workers: Int) -> FoundFrames? {
    guard let source else { return nil }
    if workers > 1 {
      DispatchQueue.concurrentPerform(iterations: workers) { _ in self.work(source) }
    } else {
      work(source)
    }
    let (answers, needsWhole, isDamaged) = state.withLock { ($0.answers, $0.needsWhole, $0.isDamaged) }
    // What is not whole is not believed.
    if isDamaged { return FoundFrames(frames: DebugFrames(noneFor: addresses.count)) }
    return needsWhole || budget.isSpent ? nil : join(answers, AddressMap(source.entries), AddressMap(source.hints))
  }

  private enum Task {
    case inflate
    case read(UnitSource.Job)
    case wait
    case done
  }

  private func work(_ source: UnitSource) {
    while true {
      switch nextTask() {
      case .inflate: inflate(source)
      case .read(let job): read(job, source)
      case .wait: news.wait()
      case .done: return
      }
    }
  }

  private func nextTask() -> Task {
    state.withLock { state in
      if state.needsWhole || state.isDamaged { return .done }
      let hasJobs = state.taken < state.queue.count
      if !state.isEnded, !state.isInflating {
        let held = state.inflatedByteCount - (state.oldest ?? state.inflatedByteCount)
        if held < (hasJobs ? Self.maximumHeldByteCount : Self.maximumBusyByteCount) {
          state.isInflating = true
          return .inflate
        }
      }
      if hasJobs {
        let job = state.queue[state.taken]
        state.taken += 1
        state.reading.insert(job.header.start)
        if state.taken == state.queue.count {
          state.queue.removeAll(keepingCapacity: true)
          state.taken = 0
        }
        return .read(job)
      }
      if state.isEnded { return .done }
      state.waiting += 1
      return .wait
    }
  }

  private func inflate(_ source: UnitSource) {
    let outcome = source.advance()
    change { state in
      state.isInflating = false
      state.inflatedByteCount = source.produced
      switch outcome {
      case .units(let jobs, let isLast):
        state.queue += jobs
        state.isEnded = isLast
        source.release(upTo: state.oldest ?? source.neededFrom)
      case .needsWhole: state.needsWhole = true
      case .damaged: state.isDamaged = true
      }
    }
  }

  private func read(_ job: UnitSource.Job, _ source: UnitSource) {
    let (sections, memory) = (file.sections, source.memory)
    var spans = sections.spans
    // No further than the unit: what lies behind may not be inflated yet.
    spans.info = memory.bytes.extracting(0..<job.header.end)
    let targets = job.targets.map { addresses[Int($0)] }
    let answer = file.read(0, of: [job.header], spans, targets, isHint: false, preparation, budget)
    change { state in
      state.reading.remove(job.header.start)
      state.answers.append(Answered(job: job, answer: answer))
      if answer.lacksUnits || budget.isSpent { state.needsWhole = true }
    }
  }

  private func change(_ body: (inout State) -> Void) {
    let waiting = state.withLock { state in
      body(&state)
      defer { state.waiting = 0 }
      return state.waiting
    }
    for _ in 0..<waiting { news.signal() }
  }

  /// Of units that claim the same address, the one that the map of all of them names has it, as when they are read together.
  private func join(_ answers: [Answered], _ map: AddressMap, _ hints: AddressMap) -> FoundFrames {
    let inOrder = answers.sorted { $0.job.unit < $1.job.unit }
    var numbers: [Int32: Int32] = [:]
    for (index, answer) in inOrder.enumerated() { numbers[answer.job.unit] = Int32(index) }
    var places = [DebugFrames.Place](repeating: .none, count: addresses.count)
    var (from, fromHint) = (0, 0)
    for (index, address) in addresses.enumerated() {
      guard let unit = map.unit(at: address, from: &from) ?? hints.unit(at: address, from: &fromHint),
        let number = numbers[unit]
      else { continue }
      let targets = inOrder[Int(number)].job.targets
      var low = 0
      var high = targets.count
      while low < high {
        let middle = (low + high) / 2
        if targets[middle] < Int32(index) { low = middle + 1 } else { high = middle }
      }
      guard low < targets.count, targets[low] == Int32(index) else { continue }
      places[index] = DebugFrames.Place(unit: number, target: Int32(low))
    }
    let prepared = inOrder.compactMap { answered in answered.answer.prepared.map { (answered.job.unit, $0) } }
    return FoundFrames(
      addresses, DebugFrames(units: inOrder.map(\.answer.frames), places: places), prepared, map,
      isPreparing: preparation != nil)
  }
}
