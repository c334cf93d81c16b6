import Base
package import TraceFormat
import Unwind

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
  static let argumentAttempts = 12
  /// How long a process is remembered after its exit, for samples that are still in the ring buffer.
  static let keptAfterExit: UInt64 = 2_000_000_000

  let files: any ProcessFileSystem
  var sink: any RecordSink
  var copier: any ImageCopying
  let images: ImageTable
  var stacks = StackTable()
  var processes: [UInt32: RecordedProcess] = [:]
  var threads: [UInt32: RecordedThread] = [:]
  /// Good until an event of another kind than a mapping.
  var recentThreads = RecentThreads()
  /// Events not older than the last look at samples: a sample before them may still come.
  var held: [HeldEvent] = []
  struct HeldEvent {
    var event: SidebandEvent
    /// What a program said of itself when its event came.
    var facts: ProcessFacts?
    var image: ImageTable.Image?
  }
  /// Held programs whose arguments were not set up yet, and how often they may still be asked.
  var unsettled: [(index: Int, attemptsLeft: Int)] = []
  private var sampledUpTo: UInt64 = 0
  var recentFacts = ProcessFacts.Recent()
  var exited: [(pid: UInt32, time: UInt64)] = []
  var awaitingFacts: [RecordedProcess] = []
  /// Samples that wait for the next flush, a row for each CPU.
  var pending: [[Sample]] = []
  var pendingCount = 0
  var stackCopies: StackCopies
  var nextProcess: UInt32 = 1
  var nextThread: UInt32 = 1
  var nextSpace: UInt32 = 1
  /// For whoever looks up kernel symbols, in one go for each batch.
  var newKernelAddresses: [UInt64] = []
  var pendingLosses: [LossRecord] = []
  var now: UInt64 = 0
  internal(set) package var totals = Totals()
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
  let unwinder: StackUnwinder?
  let waitingStacks: WaitingStacks?
  var breaks = UnwindBreaks()
  /// Processes whose mappings changed since the sampler was told of them.
  var changedProcesses: Set<UInt32> = []
  /// Files with an interpreter that is not looked into, and why, in the order of their names.
  package var interpreterRefusals: [String] { interpreters?.totals.refusals.sorted() ?? [] }
  /// `nil` where nobody can ask processes for their interpreters' code.
  let interpreters: InterpreterWatch?

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

  /// So many processes are told of at a time while all are looked at.
  static let processesTold = 8

  /// Tells the sampler which mappings the processes have that changed.
  func publishChanges() {
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

  /// Whether samples wait for their tables.
  package var hasWaitingStacks: Bool { waitingStacks.map { !$0.isEmpty } ?? false }

  /// Whether the recording goes on in other segments, so that files are needed again.
  package var hasManySegments: Bool {
    get { images.keepsFiles }
    set { images.keepsFiles = newValue }
  }
}
