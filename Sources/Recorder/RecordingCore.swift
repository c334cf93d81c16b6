import Base
import CRecorderABI
package import TraceFormat
import Unwind

/// What one look at the kernel's buffers brought, and when: all that the recorder's logic knows of the kernel.
package struct KernelBatch: Hashable, Sendable {
  /// CLOCK_MONOTONIC ns just before the samples were read: everything older is in this batch or an earlier one. A look
  /// at process events alone has the time of the last batch with samples.
  package var time: UInt64
  /// `struct pyrorec_sample`s in ring-buffer order, each after its length in bytes as a little-endian 32-bit number.
  package var samples: [UInt8] = []
  /// perf records, one CPU's after another's. Read after `samples`, so whatever a sample needs is here.
  package var sideband: [UInt8] = []
  /// Losses since the last batch.
  package var losses: [LossRecord] = []

  package init(time: UInt64) { self.time = time }
}

/// The recorder's own logic: kernel events in, trace records out. It touches nothing but the objects it was given, so
/// it runs the same on recorded bytes, without a kernel.
package final class RecordingCore {
  /// Processes kept in memory; above it new ones are counted as lost.
  static let maximumProcesses = 65_536
  static let maximumThreads = 1 << 18
  /// Executable mappings of one process (vm.max_map_count is 65,530 by default).
  static let maximumMappings = 65_536
  /// Frames and samples that one frame of the segment takes without danger of outgrowing its limit.
  static let maximumPendingNodes = 48_000
  static let maximumPendingSamples = 32_768
  /// How often a program is asked for its arguments, which are set up a moment after its name.
  private static let argumentAttempts = 12
  /// How long a process is remembered after its exit, for samples that are still in the ring buffer.
  private static let keptAfterExit: UInt64 = 2_000_000_000

  private let files: any ProcessFileSystem
  private var sink: any RecordSink
  private var copier: any ImageCopying
  private let images: ImageTable
  private var stacks = StackTable()
  private var processes: [UInt32: RecordedProcess] = [:]
  private var threads: [UInt32: RecordedThread] = [:]
  /// Events not older than the last look at samples: a sample before them may still come.
  private var held: [HeldEvent] = []
  private struct HeldEvent {
    var event: SidebandEvent
    /// What a program said of itself when its event came.
    var facts: ProcessFacts?
    var image: ImageTable.Image?
  }
  /// Held programs whose arguments were not set up yet, and how often they may still be asked.
  private var unsettled: [(index: Int, attemptsLeft: Int)] = []
  private var sampledUpTo: UInt64 = 0
  private var recentFacts = ProcessFacts.Recent()
  private var exited: [(pid: UInt32, time: UInt64)] = []
  private var awaitingFacts: [RecordedProcess] = []
  /// Samples that wait for the next flush, a row for each CPU.
  private var pending: [[Sample]] = []
  private var pendingCount = 0
  private var stackCopies: StackCopies
  private var nextProcess: UInt32 = 1
  private var nextThread: UInt32 = 1
  private var nextSpace: UInt32 = 1
  /// For whoever looks up kernel symbols, in one go for each batch.
  private var newKernelAddresses: [UInt64] = []
  private var pendingLosses: [LossRecord] = []
  private var now: UInt64 = 0
  private(set) package var totals = Totals()
  /// Whether processes that are no descendants of known ones are passed over: nobody will sample them.
  package var followsOnlyKnown = false
  /// Whether a program's arguments were not set up yet when they were read: it may be gone at the next regular look.
  package var wantsAnotherLookSoon: Bool { !awaitingFacts.isEmpty || !unsettled.isEmpty }
  /// Whether so many events wait for the samples before them that these had better be handed in.
  package var wantsSamples: Bool { held.count > 8192 }
  /// Told of each process that ended, so that a filter can forget its number.
  package var onProcessGone: ((UInt32) -> Void)?

  package struct Totals: Sendable {
    package var samples: UInt64 = 0
    package var lostSamples: UInt64 = 0
    package var processes = 0
  }

  /// `nil` where the sampler walks frame pointers.
  private let unwinder: StackUnwinder?
  private let waitingStacks: WaitingStacks?
  private var breaks = UnwindBreaks()
  /// Processes whose mappings changed since the sampler was told of them.
  private var changedProcesses: Set<UInt32> = []
  /// Files with an interpreter that is not looked into, and why, in the order of their names.
  package var interpreterRefusals: [String] { interpreters?.totals.refusals.sorted() ?? [] }
  /// `nil` where nobody can ask processes for their interpreters' code.
  private let interpreters: InterpreterWatch?

  package convenience init(
    files: any ProcessFileSystem, opener: any ImageOpener, sink: any RecordSink, copier: any ImageCopying
  ) {
    self.init(files: files, opener: opener, sink: sink, copier: copier, unwinder: nil, interpreters: nil)
  }

  init(
    files: any ProcessFileSystem, opener: any ImageOpener, sink: any RecordSink, copier: any ImageCopying,
    unwinder: StackUnwinder?, interpreters: InterpreterWatch?, keepsStackCopies: Bool = true
  ) {
    stackCopies = StackCopies(isKept: keepsStackCopies)
    self.files = files
    self.sink = sink
    self.copier = copier
    self.unwinder = unwinder
    waitingStacks = unwinder.map { WaitingStacks($0) }
    images = ImageTable(opener: opener)
    self.interpreters = interpreters
    if let unwinder {
      images.onNewImage = { image in
        unwinder.see(image)
        interpreters?.see(image)
      }
    }
  }

  // MARK: What is running when the recording begins

  /// Reads every process (or just `only`) from `/proc`.
  package func scan(only: Set<UInt32>?, time: UInt64) {
    followsOnlyKnown = only != nil
    // Samples are being taken already, of those that run: they come first.
    var running: [(pid: UInt32, stat: [UInt8])] = []
    var others: [(pid: UInt32, stat: [UInt8])] = []
    for pid in files.processes() where only?.contains(pid) ?? true {
      guard let stat = ProcessFacts.stat(of: pid, in: files) else { continue }
      if ProcessFacts.isRunning(stat) { running.append((pid, stat)) } else { others.append((pid, stat)) }
    }
    for (pid, stat) in running + others {
      var isRunning = false
      if processes[pid] == nil, let process = adopt(pid, stat: stat, time: time), process.facts.isRunning {
        isRunning = true
        unwinder?.expectSamples(of: process)
      }
      // The first processes need not wait for the last.
      if isRunning || changedProcesses.count >= Self.processesTold {
        publishChanges()
        _ = unwinder?.takeFinished()
      }
    }
    publishChanges()
  }
  /// So many processes are told of at a time while all are looked at.
  private static let processesTold = 8

  /// Tells the sampler which mappings the processes have that changed.
  private func publishChanges() {
    for image in interpreters?.takeRecognised() ?? [] {
      for process in processes.values where process.mappings.contains(where: { $0.image === image }) {
        changedProcesses.insert(process.pid)
      }
    }
    guard let unwinder, !changedProcesses.isEmpty else { return }
    for pid in changedProcesses {
      guard let process = processes[pid] else { continue }
      interpreters?.publish(process)
      unwinder.publish(process)
    }
    changedProcesses.removeAll(keepingCapacity: true)
  }

  @discardableResult
  private func adopt(_ pid: UInt32, stat: [UInt8]? = nil, time: UInt64) -> RecordedProcess? {
    guard processes.count < Self.maximumProcesses else {
      lose(.overLimit, 1)
      return nil
    }
    guard let facts = ProcessFacts(process: pid, stat: stat, recent: &recentFacts, in: files) else { return nil }
    let process = RecordedProcess(
      pid: pid, facts: facts, startTime: facts.startNanoseconds, scannedAt: time, programTime: time)
    if !facts.isKernelThread, let text = try? files.read("\(pid)/maps", limit: 64 << 20) {
      for map in ProcessMap.executable(in: text).prefix(Self.maximumMappings) {
        let image = images.image(
          process: pid, start: map.start, byteCount: map.end - map.start, path: map.path, device: map.device,
          inode: map.inode, generation: 0)
        _ = process.insert(
          RecordedProcess.Mapping(
            start: map.start, end: map.end, fileOffset: map.fileOffset, protection: map.protection, image: image,
            time: time))
      }
    }
    processes[pid] = process
    changedProcesses.insert(pid)
    return process
  }

  // MARK: What happens while it runs

  /// Takes everything that one look at the kernel's buffers brought.
  package func process(_ batch: KernelBatch) throws(TraceError) {
    now = batch.time
    for loss in batch.losses { lose(loss) }
    retryFacts()
    look(at: batch.sideband)
    // Nothing is newly known to be older than what waits.
    if batch.samples.isEmpty, batch.time == sampledUpTo { return }
    sampledUpTo = batch.time

    let events = held
    held = []
    unsettled = []
    // The buffers are one for each CPU; equal times keep their order.
    let order = events.indices.sorted {
      (events[$0].event.time.nanoseconds, $0) < (events[$1].event.time.nanoseconds, $1)
    }
    var next = 0
    func applyEvents(upTo time: UInt64) throws(TraceError) {
      while next < order.count, events[order[next]].event.time.nanoseconds <= time {
        let index = order[next]
        next += 1
        try apply(events[index].event, facts: events[index].facts, image: events[index].image)
      }
    }

    let bytes = batch.samples.borrowedBytes
    var cursor = ByteCursor(bytes)
    while cursor.remaining >= 4 {
      guard let event = SampleEvent(next: &cursor) else {
        lose(.malformedEvent, 1)
        break
      }
      try applyEvents(upTo: event.time)
      try record(event)
      try writePendingIfMany()
    }
    if !newKernelAddresses.isEmpty {
      copier.lookUp(kernelAddresses: newKernelAddresses)
      newKernelAddresses.removeAll(keepingCapacity: true)
    }
    try applyEvents(upTo: batch.time)
    while next < order.count {
      hold(events[order[next]])
      next += 1
    }
    publishChanges()
    try finishWaitingStacks()
    forgetExited()
  }

  /// Takes events in and reads what their processes may soon no longer be able to tell, whatever the order of things
  /// will be.
  private func look(at sideband: [UInt8]) {
    guard !sideband.isEmpty else { return }
    var fresh: [SidebandEvent] = []
    let malformed = SidebandParser.parse(sideband.borrowedBytes, into: &fresh)
    if malformed > 0 { lose(.malformedEvent, UInt64(malformed)) }
    var children: Set<UInt32> = []
    if followsOnlyKnown {
      for event in held.lazy.map(\.event) + fresh {
        if case .fork(let parent, _) = event.kind, parent != event.process { children.insert(event.process.rawValue) }
      }
    }
    for event in fresh {
      let pid = event.process.rawValue
      var waiting = HeldEvent(event: event)
      if !followsOnlyKnown || processes[pid] != nil || children.contains(pid) {
        switch event.kind {
        case .comm(_, isExec: true):
          waiting.facts = ProcessFacts(process: pid, isNewProgram: true, recent: &recentFacts, in: files)
        case .mapping(let mapping):
          waiting.image = images.image(
            process: pid, start: mapping.start, byteCount: mapping.byteCount,
            path: mapping.path, device: mapping.device, inode: mapping.inode, generation: mapping.inodeGeneration)
        default: break
        }
      }
      hold(waiting)
    }
  }

  private func hold(_ waiting: HeldEvent) {
    if let facts = waiting.facts, facts.commandLine.isEmpty, !facts.isZombie { unsettled.append((held.count, Self.argumentAttempts)) }
    held.append(waiting)
  }

  private func apply(_ event: SidebandEvent, facts: ProcessFacts?, image: ImageTable.Image?) throws(TraceError) {
    let pid = event.process.rawValue
    let time = event.time.nanoseconds
    if case .mapping = event.kind {} else { forgetRecentThreads() }
    switch event.kind {
    case .lost(let count):
      lose(.perfBufferFull, count)
    case .fork(let parent, let parentThread):
      if parent == event.process {
        guard threads.count < Self.maximumThreads else { return lose(.overLimit, 1) }
        let comm = threads[parentThread.rawValue]?.comm ?? processes[pid]?.facts.comm ?? ""
        threads[event.thread.rawValue] = RecordedThread(process: pid, comm: comm)
        return
      }
      if let known = processes[pid], known.scannedAt > time { return }
      try end(pid, time: time)
      guard processes.count < Self.maximumProcesses else { return lose(.overLimit, 1) }
      guard let source = processes[parent.rawValue] ?? (followsOnlyKnown ? nil : adopt(parent.rawValue, time: time))
      else { return }
      let child = RecordedProcess(forkOf: source, pid: pid, time: time)
      processes[pid] = child
      changedProcesses.insert(pid)
      threads[event.thread.rawValue] = RecordedThread(
        process: pid, comm: threads[parentThread.rawValue]?.comm ?? source.facts.comm)
    case .comm(let name, let isExec):
      let comm = String(decoding: name, as: UTF8.self)
      if isExec {
        if let known = processes[pid], known.scannedAt > time { return }
        if followsOnlyKnown, processes[pid] == nil { return }
        try exec(pid, comm: comm, time: time, facts: facts)
      }
      threads[event.thread.rawValue] = RecordedThread(process: pid, comm: comm)
      if event.thread.rawValue == pid { processes[pid]?.facts.comm = comm }
    case .exit:
      threads[event.thread.rawValue] = nil
      if event.thread.rawValue == pid, let process = processes[pid] {
        process.exitedAt = time
        exited.append((pid, time))
      }
    case .mapping(let mapping):
      guard let process = processes[pid] ?? (followsOnlyKnown ? nil : adopt(pid, time: time)), process.scannedAt <= time
      else { return }
      let image =
        image
        ?? images.image(
          process: pid, start: mapping.start, byteCount: mapping.byteCount, path: mapping.path, device: mapping.device,
          inode: mapping.inode, generation: mapping.inodeGeneration)
      try insert(
        RecordedProcess.Mapping(
          start: mapping.start, end: mapping.start &+ mapping.byteCount, fileOffset: mapping.fileOffset,
          protection: mapping.protection, image: image, time: time),
        into: process)
    }
  }

  /// The process runs another program from `time` on: a new program record, a new address space.
  private func exec(_ pid: UInt32, comm: String, time: UInt64, facts: ProcessFacts?) throws(TraceError) {
    let before = processes[pid]
    if let handle = before?.handle {
      try sink.append(.processEnd(ProcessEndRecord(handle: handle, time: MonotonicInstant(nanoseconds: time))))
    }
    var known = facts ?? before?.facts
    if facts == nil {
      // The program is gone before it could be asked: what it was before it ran is not what it is.
      known?.executable = ""
      known?.commandLine = []
    }
    guard var current = known else { return }
    current.comm = comm
    let process = RecordedProcess(
      pid: pid, facts: current, startTime: before?.startTime ?? current.startNanoseconds, scannedAt: 0, programTime: time)
    process.startIsExact = before?.startIsExact ?? false
    // The arguments are set up a moment after the name.
    if facts != nil, current.commandLine.isEmpty, !current.isZombie {
      process.attemptsLeft = Self.argumentAttempts
      awaitingFacts.append(process)
    }
    if let unwinder { process.change = RecordedProcess.Change(generation: unwinder.nextGeneration, begin: 0, end: .max) }
    processes[pid] = process
    changedProcesses.insert(pid)
  }

  private func insert(_ mapping: RecordedProcess.Mapping, into process: RecordedProcess) throws(TraceError) {
    guard mapping.start < mapping.end else { return lose(.malformedEvent, 1) }
    guard process.mappings.count < Self.maximumMappings else { return lose(.overLimit, 1) }
    // The first file that exec maps is the program itself.
    if process.facts.executable.isEmpty, mapping.image.kind == .file { process.facts.executable = mapping.image.path }
    switch process.insert(mapping) {
    case .known: return
    case .added:
      changedProcesses.insert(process.pid)
      if let space = process.space { try write(mapping, in: space) }
    case .replaced:
      changedProcesses.insert(process.pid)
      if let unwinder { process.noteChange(generation: unwinder.nextGeneration, mapping.start, mapping.end) }
      guard let old = process.space, let handle = process.handle else { return }
      let space = AddressSpaceHandle(nextSpace)
      nextSpace += 1
      process.space = space
      try sink.append(
        .addressSpace(
          AddressSpaceRecord(
            handle: space, process: handle, time: MonotonicInstant(nanoseconds: mapping.time), origin: .remap, inherits: old)))
      try write(mapping, in: space)
    }
  }

  private func end(_ pid: UInt32, time: UInt64) throws(TraceError) {
    forgetRecentThreads()
    guard let process = processes.removeValue(forKey: pid) else { return }
    guard let handle = process.handle else { return }
    try sink.append(
      .processEnd(ProcessEndRecord(handle: handle, time: MonotonicInstant(nanoseconds: process.exitedAt ?? time))))
  }

  private func forgetExited() {
    var count = 0
    for (pid, time) in exited {
      guard time &+ Self.keptAfterExit < now else { break }
      count += 1
      guard let process = processes[pid], process.exitedAt == time else { continue }
      try? end(pid, time: time)  // a full disk shows itself at the next flush
      unwinder?.forget(pid)
      interpreters?.forget(pid)
      onProcessGone?(pid)
    }
    exited.removeFirst(count)
  }

  private func retryFacts() {
    unsettled = unsettled.compactMap { (index, attemptsLeft) in
      let arguments = ProcessFacts.commandLine(of: held[index].event.process.rawValue, in: files)
      held[index].facts?.commandLine = arguments
      return arguments.isEmpty && attemptsLeft > 1 ? (index, attemptsLeft - 1) : nil
    }
    guard !awaitingFacts.isEmpty else { return }
    var still: [RecordedProcess] = []
    for process in awaitingFacts where process.exitedAt == nil && processes[process.pid] === process {
      process.attemptsLeft -= 1
      let arguments = ProcessFacts.commandLine(of: process.pid, in: files)
      if arguments.isEmpty {
        if process.attemptsLeft > 0 { still.append(process) }
        continue
      }
      process.facts.commandLine = arguments
      if process.handle != nil { try? write(process) }
    }
    awaitingFacts = still
  }

  // MARK: Samples

  /// What samples of late said of their threads, by thread id: good until an event of another kind than a mapping.
  private struct RecentThread {
    var id: UInt32
    var handle: ThreadHandle
    var process: RecordedProcess
  }
  private static let recentThreadCount = 64
  private var recentThreads = [RecentThread?](repeating: nil, count: recentThreadCount)
  private var hasRecentThreads = false
  private func forgetRecentThreads() {
    guard hasRecentThreads else { return }
    hasRecentThreads = false
    for index in recentThreads.indices { recentThreads[index] = nil }
  }

  private func record(_ event: borrowing SampleEvent) throws(TraceError) {
    let place = Int(truncatingIfNeeded: event.thread) & (Self.recentThreadCount - 1)
    let process: RecordedProcess
    let thread: ThreadHandle
    if let recent = recentThreads[place], recent.id == event.thread, recent.process.pid == event.process,
      recent.process.startTime == event.startTime
    {
      process = recent.process
      thread = recent.handle
    } else {
      guard let found = try self.process(for: event) else { return lose(.overLimit, 1) }
      process = found
      if process.handle == nil { try materialize(process) }
      guard let handle = process.handle else { return }
      thread = try self.thread(for: event, in: process, handle: handle)
      if process.startIsExact {
        recentThreads[place] = RecentThread(id: event.thread, handle: thread, process: process)
        hasRecentThreads = true
      }
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

  private func append(_ stack: FinishedStack) throws(TraceError) {
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

  private func append(
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

  private func finishWaitingStacks() throws(TraceError) {
    guard let waitingStacks, !waitingStacks.isEmpty else { return }
    for stack in waitingStacks.takeFinished(now: now) {
      try append(stack)
      try writePendingIfMany()
    }
  }

  /// Whether samples wait for their tables.
  package var hasWaitingStacks: Bool { waitingStacks.map { !$0.isEmpty } ?? false }

  /// Records what still waits as it is.
  package func giveUpWaiting() throws(TraceError) {
    for stack in waitingStacks?.takeFinished(now: .max) ?? [] { try append(stack) }
  }

  private func process(for event: borrowing SampleEvent) throws(TraceError) -> RecordedProcess? {
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

  /// Writes what is known of a process once its first sample is there.
  private func materialize(_ process: RecordedProcess) throws(TraceError) {
    process.handle = ProcessHandle(nextProcess)
    nextProcess += 1
    totals.processes += 1
    try write(process)
    let space = AddressSpaceHandle(nextSpace)
    nextSpace += 1
    process.space = space
    try sink.append(
      .addressSpace(
        AddressSpaceRecord(
          handle: space, process: ProcessHandle(nextProcess - 1), time: MonotonicInstant(nanoseconds: process.programTime),
          origin: process.scannedAt != 0 ? .scan : .exec)))
    for mapping in process.mappings { try write(mapping, in: space) }
  }

  private func write(_ process: RecordedProcess) throws(TraceError) {
    guard let handle = process.handle else { return }
    var record = ProcessRecord(
      handle: handle,
      identity: ProcessIdentity(pid: ProcessID(process.pid), startNanoseconds: process.startTime),
      time: MonotonicInstant(nanoseconds: process.programTime))
    record.parent = ProcessID(process.facts.parent)
    record.comm = process.facts.comm
    record.executable = process.facts.executable
    record.commandLine = process.facts.commandLine
    record.cgroup = process.facts.cgroup
    record.containerID = process.facts.containerID
    record.namespaces = process.facts.namespaces
    record.userID = process.facts.userID
    record.isKernelThread = process.facts.isKernelThread
    try sink.append(.process(record))
  }

  private func write(_ mapping: RecordedProcess.Mapping, in space: AddressSpaceHandle) throws(TraceError) {
    let image = mapping.image
    if image.handle == nil {
      try sink.append(.image(images.record(of: image)))
    }
    try sink.append(
      .mapping(
        MappingRecord(
          addressSpace: space, image: images.giveHandle(to: image), time: MonotonicInstant(nanoseconds: mapping.time),
          start: ProcessAddress(mapping.start), byteCount: mapping.end &- mapping.start,
          fileOffset: FileOffset(mapping.fileOffset), protection: mapping.protection)))
  }

  /// Asks for a copy of every image that a frame seen for the first time lies in.
  private func note(_ frames: [(addressSpace: UInt32, address: UInt64)], in mappings: MappingTable) {
    // Frames one after another mostly lie in one image, and most images were asked for before.
    var asked = (start: UInt64(0), end: UInt64(0))
    for frame in frames {
      if frame.addressSpace == AddressSpaceHandle.kernel.rawValue {
        newKernelAddresses.append(frame.address)
      } else if frame.address < asked.start || frame.address >= asked.end, let mapping = mappings.interval(at: frame.address) {
        asked = (mapping.start, mapping.end)
        want(mapping.image)
      }
    }
  }

  private func want(_ image: ImageTable.Image) {
    guard !image.isWanted else { return }
    image.isWanted = true
    copier.copy(images.request(for: image))
  }

  // MARK: Segments

  /// Whether the recording goes on in other segments, so that files are needed again.
  package var hasManySegments: Bool {
    get { images.keepsFiles }
    set { images.keepsFiles = newValue }
  }

  /// Goes on in another segment, which stands alone: programs, mappings, images and stacks are written there again when
  /// samples hit them. What waited must have been flushed, and no sample may wait for its tables.
  package func begin(sink: any RecordSink, copier: any ImageCopying) {
    self.sink = sink
    self.copier = copier
    stacks = StackTable()
    breaks = UnwindBreaks()
    (nextProcess, nextThread, nextSpace) = (1, 1, 1)
    forgetRecentThreads()
    var mapped: Set<ObjectIdentifier> = []
    for process in processes.values {
      process.handle = nil
      process.space = nil
      for mapping in process.mappings { mapped.insert(ObjectIdentifier(mapping.image)) }
    }
    for waiting in held { if let image = waiting.image { mapped.insert(ObjectIdentifier(image)) } }
    images.beginSegment(mapped: mapped)
    interpreters?.beginSegment()
    threads = threads.mapValues { RecordedThread(process: $0.process, comm: $0.comm) }
  }

  // MARK: Writing

  /// The program a process of this start runs, also when nothing was seen of it: a JVM's own recording belongs to it.
  /// - Parameter startTicks: field 22 of `/proc/PID/stat`.
  /// - Returns: `nil` when the process is gone and was never seen.
  func program(of pid: UInt32, startTicks: UInt64, time: UInt64) -> RecordedProcess? {
    if let known = processes[pid], known.startTime == 0 || known.startTime / ProcessFacts.nanosecondsPerTick == startTicks {
      return known
    }
    guard let facts = ProcessFacts(process: pid, recent: &recentFacts, in: files),
      facts.startNanoseconds / ProcessFacts.nanosecondsPerTick == startTicks
    else { return nil }
    return RecordedProcess(pid: pid, facts: facts, startTime: facts.startNanoseconds, scannedAt: time, programTime: time)
  }

  /// The program's record is written where this segment does not have it yet.
  func handle(of program: RecordedProcess) throws(TraceError) -> ProcessHandle {
    if let handle = program.handle { return handle }
    if processes[program.pid] === program {
      try materialize(program)
    } else {
      program.handle = ProcessHandle(nextProcess)
      nextProcess += 1
      totals.processes += 1
      try write(program)
    }
    return program.handle ?? ProcessHandle(0)
  }

  /// Writes what waits and makes it safe from a kill.
  package func flush() throws(TraceError) {
    try writePending()
    unwinder?.sweepNowAndThen()
    for record in breaks.take() { try sink.append(.unwindBreak(record)) }
    for loss in pendingLosses { try sink.append(.loss(loss)) }
    pendingLosses.removeAll(keepingCapacity: true)
    try sink.flush()
  }

  private func writePendingIfMany() throws(TraceError) {
    guard
      pendingCount >= Self.maximumPendingSamples || stacks.pendingNodeCount >= Self.maximumPendingNodes || stackCopies.areMany
    else { return }
    try writePending()
  }

  private func writePending() throws(TraceError) {
    if stacks.hasNew { try sink.append(.stacks(stacks.takeBatch())) }
    guard pendingCount > 0 else { return }
    var samples: [Sample] = []
    samples.reserveCapacity(pendingCount)
    for cpu in pending.indices {
      // Those that waited for their tables come late.
      if waitingStacks != nil { pending[cpu].sort { $0.timeMicroseconds < $1.timeMicroseconds } }
      samples += pending[cpu]
      pending[cpu].removeAll(keepingCapacity: true)
    }
    pendingCount = 0
    try sink.append(.samples(SampleBatch(samples: samples)))
    // After the stacks they name.
    for record in stackCopies.take() { try sink.append(.stackCopy(record)) }
  }

  private func lose(_ reason: LossRecord.Reason, _ count: UInt64) {
    lose(LossRecord(reason: reason, cpu: .max, time: MonotonicInstant(nanoseconds: now), count: count))
  }

  private func lose(_ loss: LossRecord) {
    if loss.reason.isSamples { totals.lostSamples += loss.count }
    // One record for each reason and CPU between two flushes, however many events there were.
    if let index = pendingLosses.firstIndex(where: { $0.reason == loss.reason && $0.cpu == loss.cpu }) {
      pendingLosses[index].count += loss.count
    } else {
      pendingLosses.append(loss)
    }
  }
}
