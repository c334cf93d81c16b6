import Base
import CRecorderABI
package import TraceFormat
import Unwind

/// Samples: whose they are, and when they are as whole as they will be.
extension RecordingCore {
  func record(_ event: borrowing SampleEvent) throws(TraceError) {
    let process: RecordedProcess
    let thread: ThreadHandle
    if let recent = recentThreads.thread(of: event) {
      (thread, process) = recent
    } else {
      guard let found = try self.process(for: event) else { return lose(.overLimit, 1) }
      process = found
      if process.handle == nil { try materialize(process) }
      guard let handle = process.handle else { return }
      thread = try self.thread(for: event, in: process, handle: handle)
      if process.startIsExact { recentThreads.remember(thread, of: event, in: process) }
    }
    guard let space = process.space else { return }
    // Before anything else: the code may be gone a moment later.
    let frames = try translate(event.userWords, of: process, at: event.time)
    let kernel = stacks.intern(event.kernelWords, addressSpace: .kernel)
    let sample = Sample(
      cpu: event.cpu, timeMicroseconds: event.time / 1000, thread: thread, userStack: .empty, kernelStack: kernel,
      event: EventHandle(event.event), weight: event.weight, result: event.result)
    let isWhole = event.extraKind == UInt8(PYROREC_EXTRA_WHOLE_STACK)
    let hasKept = event.extraKind == UInt8(PYROREC_EXTRA_FRAMES_AND_STACK)
    let copy = isWhole || hasKept || event.extraKind == UInt8(PYROREC_EXTRA_STACK) ? StackCopy(event.extra) : nil
    if let copy, !isWhole || isUnfinished(event.result) {
      let stack = WaitingStack(
        sample: sample, space: space, process: process, copy: copy, frames: isWhole ? [] : frames ?? event.userFrames, now: now,
        hasInterpreter: frames != nil, kept: hasKept ? try translateKept(event.kept, of: process, at: event.time) : nil)
      if let finished = waitingStacks.map({ $0.take(stack) }) ?? .some(stack.asItIs) { try append(finished) }
    } else if let change = process.change, event.generation != 0, event.generation < change.generation {
      try append(WaitingStack.cut(sample, space: space, process: process, frames: frames ?? event.userFrames, change))
    } else {
      noteBreak(
        result: event.result, user: event.userWords, process.executable,
        FirstGuess(guesses: event.guesses, reason: event.guessReason, frame: event.firstGuess))
      if let frames {
        // Safe: as below. Its stack is not kept: offline only native frames are found.
        try append(sample, user: unsafe frames.span.bytes, space: space, mappings: process.executable)
      } else {
        try append(sample, user: event.userWords, space: space, mappings: process.executable, copy: copy)
      }
    }
  }

  /// Whether tables or mappings that came later may find more of a stack.
  private func isUnfinished(_ result: UInt8) -> Bool {
    result == UInt8(PYROREC_UNWIND_TABLES_PENDING.rawValue) || result == UInt8(PYROREC_UNWIND_NO_MAPPING.rawValue)
  }

  /// The stack with the interpreter's frames by the numbers of their code, which is written here; `nil` when it has none.
  private func translate(_ words: RawSpan, of process: RecordedProcess, at time: UInt64) throws(TraceError) -> [UInt64]? {
    guard let interpreters, process.interpreter != nil else { return nil }
    var codes: [CodeRecord] = []
    let frames = interpreters.translate(words, of: process, at: time, into: &codes)
    for code in codes { try sink.append(.code(code)) }
    return frames
  }

  private func translateKept(
    _ words: RawSpan, of process: RecordedProcess, at time: UInt64
  ) throws(TraceError) -> HostUnwinding.Interpreter? {
    var codes: [CodeRecord] = []
    let kept = interpreters?.translateKept(words, of: process, at: time, into: &codes)
    for code in codes { try sink.append(.code(code)) }
    return kept
  }

  func append(_ stack: FinishedStack) throws(TraceError) {
    var sample = stack.sample
    sample.result = stack.result
    // Safe: as below.
    noteBreak(result: stack.result, user: unsafe stack.frames.span.bytes, stack.mappings, stack.firstGuess)
    // Safe: a word has no padding, so every byte of it is initialized.
    try append(
      sample, user: unsafe stack.frames.span.bytes, space: stack.space, mappings: stack.mappings, copy: stack.copy)
    // Its callers may lie in any of the process' images, and offline only copies can tell.
    if stack.copy != nil, stackCopies.isKept, stack.result == UInt8(PYROREC_UNWIND_TABLES_PENDING.rawValue) {
      for mapping in stack.mappings.intervals { want(mapping.image) }
    }
  }

  private func noteBreak(
    result: UInt8, user: RawSpan, _ mappings: MappingTable, _ guess: FirstGuess?
  ) {
    guard unwinder != nil else { return }
    func frame(_ index: Int) -> UInt64? {
      guard index >= 0, index < user.byteCount / 8 else { return nil }
      var cursor = ByteCursor(user.extracting(index * 8..<index * 8 + 8))
      guard let word = try? cursor.read("frame", as: UInt64.self) else { return nil }
      return InterpreterWord.parse(word) == nil ? word : nil
    }
    if let guess { breaks.note(frame: frame(guess.frame - 1), reason: guess.reason, wasGuessed: true, in: mappings) }
    breaks.note(frame: frame(user.byteCount / 8 - 1), reason: result, wasGuessed: false, in: mappings)
  }

  func append(
    _ incomplete: Sample, user: RawSpan, space: AddressSpaceHandle, mappings: MappingTable, copy: StackCopy? = nil
  ) throws(TraceError) {
    var sample = incomplete
    sample.userStack = stacks.intern(user, addressSpace: space)
    if !stacks.newFrames.isEmpty {
      note(stacks.newFrames, in: mappings)
      stacks.forgetNewFrames()
    }
    let cpu = Int(sample.cpu)
    while pending.count <= cpu {
      guard pending.count < 8192 else { return lose(.malformedEvent, 1) }  // CONFIG_NR_CPUS ends there
      pending.append([])
    }
    pending[cpu].append(sample)
    if let copy { stackCopies.keep(copy, of: sample, in: space) }
    pendingCount += 1
    totals.samples += 1
  }

  /// Takes in tables that were built, and records the samples that waited for them.
  package func takeTables() throws(TraceError) {
    guard let unwinder, unwinder.takeFinished() else { return }
    try finishWaitingStacks()
  }

  func finishWaitingStacks() throws(TraceError) {
    guard let waitingStacks, !waitingStacks.isEmpty else { return }
    for stack in waitingStacks.takeFinished(now: now) {
      try append(stack)
      try writePendingIfMany()
    }
  }

  /// Records what still waits as it is.
  package func giveUpWaiting() throws(TraceError) {
    for stack in waitingStacks?.takeFinished(now: .max) ?? [] { try append(stack) }
  }

  func process(for event: borrowing SampleEvent) throws(TraceError) -> RecordedProcess? {
    let pid = event.process
    if let known = processes[pid] {
      if !known.startIsExact {
        // `/proc` counts in ticks; more than two apart is another life of the same number.
        let difference = Int64(bitPattern: event.startTime &- known.startTime)
        if known.startTime == 0 || difference.magnitude <= 2 * ProcessFacts.nanosecondsPerTick {
          known.startTime = event.startTime
          known.startIsExact = true
        }
      }
      if known.startTime == event.startTime { return known }
      try end(pid, time: event.time)
    }
    if let adopted = adopt(pid, time: event.time) {
      adopted.startTime = event.startTime
      adopted.startIsExact = true
      return adopted
    }
    guard processes.count < Self.maximumProcesses else { return nil }
    // Gone, and nothing told of its beginning (perf's buffer was full): its addresses are still worth keeping.
    let process = RecordedProcess(
      pid: pid, facts: ProcessFacts(), startTime: event.startTime, scannedAt: event.time, programTime: event.time)
    process.startIsExact = true
    processes[pid] = process
    exited.append((pid, event.time))
    process.exitedAt = event.time
    return process
  }

  private func thread(
    for event: borrowing SampleEvent, in process: RecordedProcess, handle: ProcessHandle
  ) throws(TraceError) -> ThreadHandle {
    let tid = event.thread
    var thread: RecordedThread
    if let known = threads[tid], known.process == process.pid {
      if let given = known.handle, known.owner == handle { return given }
      thread = known
    } else {
      let text = try? files.read("\(process.pid)/task/\(tid)/comm", limit: 256)
      let comm = text.map { String(decoding: $0.last == 0x0a ? $0.dropLast() : $0[...], as: UTF8.self) }
      thread = RecordedThread(process: process.pid, comm: comm ?? process.facts.comm)
    }
    let given = ThreadHandle(nextThread)
    nextThread += 1
    thread.handle = given
    thread.owner = handle
    if threads.count < Self.maximumThreads { threads[tid] = thread }
    try sink.append(
      .thread(
        ThreadRecord(
          handle: given, process: handle, id: ThreadID(tid), time: MonotonicInstant(nanoseconds: event.time),
          comm: thread.comm)))
    return given
  }
}
