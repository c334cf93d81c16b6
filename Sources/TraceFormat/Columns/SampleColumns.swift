import Base

/// How the samples of a `SampleBatch` are coded; `docs/trace-format.md`, "Samples".
///
/// A CPU's samples come at regular times, mostly of one thread; a thread's stack is often the one it had, or a new one.
struct SampleColumns {
  private var time = NumberModel()
  // By whether the last two samples were of the thread before them.
  private var isSameThread = InlineArray<4, AdaptiveBit>(repeating: AdaptiveBit())
  private var threadRank = NumberModel()
  private var newThread = NumberModel()
  private var user = StackColumn()
  private var kernel = StackColumn()
  private var isSameEvent = AdaptiveBit()
  private var event = NumberModel()
  private var isSameWeight = AdaptiveBit()
  private var weight = NumberModel()
  private var isSameResult = AdaptiveBit()
  private var result = ByteModel()

  private var threads = RecentList(limit: 64)
  private var threadHistory = 0
  private var lastNewThread: UInt64 = 0
  private var threadSlots = ValueTable()
  /// By the thread's slot: the stack it had last that was not empty.
  private var lastUser: [UInt64] = []
  private var lastKernel: [UInt64] = []
  private var slot = 0
  private let period: UInt64
  private let baseTime: UInt64
  /// The highest stack before the batch's own.
  private let olderStacks: UInt64
  private var last: Sample

  init(baseTime: UInt64, period: UInt64, olderStacks: UInt64) {
    self.baseTime = baseTime
    self.period = period
    self.olderStacks = olderStacks
    last = Sample(
      cpu: 0, timeMicroseconds: 0, thread: ThreadHandle(0), userStack: .empty, kernelStack: .empty, event: EventHandle(0),
      weight: 1, result: 0)
  }

  /// - Parameter isFirst: whether the sample is its CPU's first in the batch.
  mutating func code(_ sample: Sample, cpu: UInt32, isFirst: Bool, _ coder: inout some BinaryCoder) -> Sample {
    if isFirst {
      user.highest = olderStacks
      kernel.highest = olderStacks
    }
    let expected = isFirst ? baseTime : last.timeMicroseconds &+ period
    last.timeMicroseconds = time.codeDifference(sample.timeMicroseconds, from: expected, &coder)
    last.cpu = cpu
    let thread = codeThread(UInt64(sample.thread.rawValue), isFirst: isFirst, &coder)
    if isFirst || thread != UInt64(last.thread.rawValue) {
      slot = threadSlots.slot(of: thread)
      if slot == lastUser.count {
        lastUser.append(0)
        lastKernel.append(0)
      }
    }
    last.thread = ThreadHandle(UInt32(truncatingIfNeeded: thread))
    let userStack = user.code(UInt64(sample.userStack.rawValue), &lastUser[slot], context: 0, &coder)
    last.userStack = StackHandle(UInt32(truncatingIfNeeded: userStack))
    let kernelStack = kernel.code(
      UInt64(sample.kernelStack.rawValue), &lastKernel[slot], context: userStack == 0 ? 0 : 1, &coder)
    last.kernelStack = StackHandle(UInt32(truncatingIfNeeded: kernelStack))
    if coder.code(sample.event != last.event, &isSameEvent) {
      last.event = EventHandle(UInt32(truncatingIfNeeded: event.code(UInt64(sample.event.rawValue), &coder)))
    }
    if coder.code(sample.weight != last.weight, &isSameWeight) { last.weight = weight.code(sample.weight, &coder) }
    if coder.code(sample.result != last.result, &isSameResult) { last.result = result.code(sample.result, &coder) }
    return last
  }

  private mutating func codeThread(
    _ thread: UInt64, isFirst: Bool, _ coder: inout some BinaryCoder
  ) -> UInt64 {
    let before = UInt64(last.thread.rawValue)
    if !isFirst {
      let isOther = coder.code(thread != before, &isSameThread[threadHistory])
      threadHistory = (threadHistory &<< 1 | (isOther ? 1 : 0)) & 3
      if !isOther { return before }
    }
    let rank = threadRank.code(UInt64(truncatingIfNeeded: (threads.rank(of: thread) ?? -1) &+ 1), &coder)
    if rank > 0, let known = threads.value(at: Int(truncatingIfNeeded: min(rank, 1 << 20)) &- 1) {
      threads.use(Int(rank) &- 1)
      return known
    }
    let made = newThread.codeDifference(thread, from: lastNewThread, &coder)
    lastNewThread = made
    threads.add(made)
    return made
  }

  /// The user or the kernel stacks of a batch's samples.
  private struct StackColumn {
    // By whether there is a user stack, and what the column's last sample was.
    private var isAny = InlineArray<8, AdaptiveBit>(repeating: AdaptiveBit())
    private var isSame = InlineArray<4, AdaptiveBit>(repeating: AdaptiveBit())
    private var isNew = InlineArray<4, AdaptiveBit>(repeating: AdaptiveBit())
    private var isRecent = InlineArray<4, AdaptiveBit>(repeating: AdaptiveBit())
    private var skipped = NumberModel()
    private var recent = NumberModel()
    private var far = NumberModel()
    /// Stacks of the batch in the order they came first.
    private var sequence: [UInt64] = []
    private var numbers = ValueTable()
    /// 0 none, 1 as the thread's last, 2 new, 3 another.
    private var state = 0
    /// The highest stack of this CPU in the batch.
    var highest: UInt64 = 0

    mutating func code(
      _ stack: UInt64, _ lastOfThread: inout UInt64, context: Int, _ coder: inout some BinaryCoder
    ) -> UInt64 {
      let before = state
      guard coder.code(stack != 0, &isAny[context << 2 | before]) else {
        state = 0
        return 0
      }
      if lastOfThread != 0, !coder.code(stack != lastOfThread, &isSame[before]) {
        state = 1
        return lastOfThread
      }
      lastOfThread = codeOther(stack, before, &coder)
      return lastOfThread
    }

    private mutating func codeOther(_ stack: UInt64, _ before: Int, _ coder: inout some BinaryCoder) -> UInt64 {
      if coder.code(stack > highest, &isNew[before]) {
        state = 2
        highest = highest &+ 1 &+ skipped.code(stack &- highest &- 1, &coder)
        note(highest)
        return highest
      }
      state = 3
      let wanted = numbers.slot(of: stack)
      let number = Int(numbers.entries[wanted].number)
      if coder.code(number >= 0, &isRecent[before]) {
        let back = recent.code(UInt64(truncatingIfNeeded: sequence.count &- 1 &- number), &coder)
        // A damaged distance that goes past the beginning means the first.
        guard let end = sequence.indices.last, back <= UInt64(end) else { return sequence.first ?? 0 }
        return sequence[end &- Int(back)]
      }
      let found = highest &- far.code(highest &- stack, &coder)
      note(found)
      return found
    }

    private mutating func note(_ stack: UInt64) {
      let slot = numbers.slot(of: stack)
      guard numbers.entries[slot].number < 0 else { return }
      numbers.number(slot, sequence.count)
      sequence.append(stack)
    }
  }
}
