package import Base
package import Targets
package import TraceFormat

/// Everything a trace says, with its samples already summed up: what is many is counted, what is few is kept.
///
/// Records are added in the order of the file. What does not go together (a sample of a thread that is lost) is counted
/// and never trusted.
package struct TraceContents: Sendable {
  /// Samples of one kind of event in one program and thread name with one stack.
  package struct SampleGroup: Hashable, Sendable {
    /// `UInt32.max` when the thread's record is lost.
    package var process: UInt32
    /// An index of `threadNames`.
    package var threadName: UInt32
    package var userStack: StackHandle
    package var kernelStack: StackHandle
    package var event: EventHandle
  }

  /// Address spaces, images, processes and threads of one trace; each far above what a day brings.
  static let maximumThings = 1 << 24
  /// Mappings that address spaces take over from others, in all: what a file says in a few bytes may not fill the memory.
  static let maximumInheritedMappings = 1 << 25
  /// `PT_LOAD`s of one image: linkers make less than ten.
  static let maximumSegments = 256

  package internal(set) var processes: [UInt32: ProcessRecord] = [:]
  package internal(set) var threadCount = 0
  package internal(set) var images: [UInt32: ImageRecord] = [:]
  package internal(set) var imageEnds: [UInt32: ImageEndRecord] = [:]
  package internal(set) var events: [UInt32: EventRecord] = [:]
  package internal(set) var kernelModules: [KernelModulesRecord.Module] = []
  /// By image of anonymous memory, in the order they were recorded.
  package internal(set) var jitSymbols: [UInt32: [JITName]] = [:]

  /// A name of code that a process made.
  package struct JITName: Hashable, Sendable {
    package var symbol: JITSymbolsRecord.Symbol
    /// From when on.
    package var time: MonotonicInstant
  }
  /// Interpreted code, by handle.
  package internal(set) var codes: [UInt32: CodeRecord] = [:]
  package internal(set) var javaChunks = JavaChunks()
  package internal(set) var kernelSymbols: [KernelSymbolsRecord.Symbol] = []
  package internal(set) var losses: [LossRecord] = []
  package internal(set) var facts: [String: String] = [:]
  /// What discovery found while recording, by component, in the order it was told.
  package private(set) var targets: [String: [LabelSet]] = [:]
  package internal(set) var trie = FrameTrie()
  var spaces: [UInt32: AddressSpaceMap] = [:]
  private var inheritedMappings = 0

  /// In the order of their first sample.
  package private(set) var groups: [SampleGroup] = []
  /// The sum of the weights of each group.
  package private(set) var weights: [UInt64] = []
  private var groupIndex = HashIndex()
  package private(set) var threadNames: [String] = [""]
  private var threadNameIndex: [String: UInt32] = ["": 0]
  /// By thread handle: the program and the name.
  private var threads: [UInt32: (process: UInt32, name: UInt32)] = [:]

  package private(set) var sampleCount: UInt64 = 0
  package private(set) var userSampleCount: UInt64 = 0
  package private(set) var kernelSampleCount: UInt64 = 0
  /// By unwind result.
  package var unwindResults: [UInt8: UInt64] {
    var counted: [UInt8: UInt64] = [:]
    for result in UInt8.min...UInt8.max where resultCounts[Int(result)] > 0 { counted[result] = resultCounts[Int(result)] }
    return counted
  }
  private var resultCounts = [UInt64](repeating: 0, count: 256)
  /// Samples whose stack broke off or was guessed, by where and why.
  package private(set) var unwindBreaks: [UnwindBreak: UInt64] = [:]
  package struct UnwindBreak: Hashable, Sendable {
    /// 0 for code of no image.
    package var image: UInt32
    /// An unwind result.
    package var reason: UInt8
    /// Whether the stack went on by a guess.
    package var wasGuessed: Bool
  }
  package private(set) var lastSampleMicroseconds: UInt64 = 0
  package private(set) var firstSampleMicroseconds = UInt64.max
  /// Records that contradict others.
  package private(set) var inconsistentRecords = 0

  var labelLayers: [UInt32: [TargetLabelsRecord]] = [:]
  /// Names by layer, put together as their records come.
  var symbolLayers: [UInt32: SymbolLayer] = [:]
  var finishedLayers: [LayerEndRecord] = []

  package init() {}

  package mutating func add(_ record: TraceRecord) {
    switch record {
    case .process(let process):
      guard processes.count < Self.maximumThings else { return reject() }
      processes[process.handle.rawValue] = process
    case .processEnd: break
    case .thread(let thread):
      guard threads.count < Self.maximumThings else { return reject() }
      threads[thread.handle.rawValue] = (thread.process.rawValue, nameIndex(thread.comm))
      threadCount += 1
    case .addressSpace(let space):
      guard spaces.count < Self.maximumThings else { return reject() }
      var map = AddressSpaceMap(process: space.process.rawValue)
      if let inherited = space.inherits, let known = spaces[inherited.rawValue] {
        inheritedMappings += known.count
        guard inheritedMappings <= Self.maximumInheritedMappings else { return reject() }
        map = known
        map.process = space.process.rawValue
      }
      spaces[space.handle.rawValue] = map
    case .mapping(let mapping):
      let space = mapping.addressSpace.rawValue
      guard spaces[space] != nil else { return reject() }
      spaces[space]?.insert(
        AddressSpaceMap.Mapping(
          start: mapping.start.rawValue, end: mapping.start.rawValue &+ mapping.byteCount,
          fileOffset: mapping.fileOffset.rawValue, image: mapping.image.rawValue))
    case .image(let image):
      guard images.count < Self.maximumThings else { return reject() }
      guard image.segments.count <= Self.maximumSegments else { return reject() }
      images[image.handle.rawValue] = image
    case .imageChunk, .memory, .stackCopy: break
    case .imageEnd(let end): imageEnds[end.image.rawValue] = end
    case .event(let event): events[event.handle.rawValue] = event
    case .stacks(let batch): if !trie.add(batch) { reject() }
    case .samples(let batch): add(batch)
    case .jitSymbols(let more):
      jitSymbols[more.image.rawValue, default: []] += more.symbols.map { JITName(symbol: $0, time: more.time) }
    case .code(let code):
      guard codes.count < Self.maximumThings else { return reject() }
      codes[code.handle.rawValue] = code
    case .javaChunk(let part): if !javaChunks.add(part) { reject() }
    case .kernelSymbols(let more): kernelSymbols += more.symbols
    case .kernelModules(let more): kernelModules = more.modules
    case .loss(let loss): losses.append(loss)
    case .sessionFact(let fact): facts[fact.name] = fact.value
    case .targets(let more):
      targets[more.component, default: []] += more.targets.map { target in
        LabelSet(target.map { LabelSet.Label(name: $0.name, value: $0.value) })
      }
    case .targetLabels(let labels): labelLayers[labels.layer, default: []].append(labels)
    case .symbolStrings(let strings): symbolLayers[strings.layer, default: SymbolLayer()].add(strings)
    case .symbols(let symbols): symbolLayers[symbols.layer, default: SymbolLayer()].add(symbols)
    case .layerEnd(let end): finishedLayers.append(end)
    case .unwindBreak(let more):
      let place = UnwindBreak(image: more.image.rawValue, reason: more.reason, wasGuessed: more.wasGuessed)
      guard unwindBreaks[place] != nil || unwindBreaks.count < Self.maximumThings else { return reject() }
      unwindBreaks[place, default: 0] &+= more.count
    }
  }

  private mutating func reject() { inconsistentRecords += 1 }

  private mutating func nameIndex(_ name: String) -> UInt32 {
    if let known = threadNameIndex[name] { return known }
    let index = UInt32(threadNames.count)
    threadNames.append(name)
    threadNameIndex[name] = index
    return index
  }

  private mutating func add(_ batch: SampleBatch) {
    var lastThread = UInt32.max
    var thread: (process: UInt32, name: UInt32) = (.max, 0)
    var lastGroup = SampleGroup(process: 0, threadName: 0, userStack: .empty, kernelStack: .empty, event: EventHandle(0))
    var lastIndex = -1
    let samples = batch.samples.span
    for place in samples.indices {
      let sample = samples[place]
      if sample.thread.rawValue != lastThread {
        lastThread = sample.thread.rawValue
        thread = threads[lastThread] ?? (.max, 0)
      }
      let group = SampleGroup(
        process: thread.process, threadName: thread.name, userStack: sample.userStack, kernelStack: sample.kernelStack,
        event: sample.event)
      if lastIndex < 0 || group != lastGroup {
        lastGroup = group
        lastIndex = index(of: group)
      }
      weights[lastIndex] &+= sample.weight
      resultCounts[Int(sample.result)] &+= 1
      if sample.userStack != .empty { userSampleCount += 1 }
      if sample.kernelStack != .empty { kernelSampleCount += 1 }
      firstSampleMicroseconds = min(firstSampleMicroseconds, sample.timeMicroseconds)
      lastSampleMicroseconds = max(lastSampleMicroseconds, sample.timeMicroseconds)
    }
    sampleCount += UInt64(batch.samples.count)
  }

  private mutating func index(of group: SampleGroup) -> Int {
    var hash = IntegerHash()
    hash.combine(UInt64(group.process) << 32 | UInt64(group.threadName))
    hash.combine(UInt64(group.userStack.rawValue) << 32 | UInt64(group.kernelStack.rawValue))
    hash.combine(group.event.rawValue)
    if let known = groupIndex.find(hash.value, where: { groups[$0] == group }) { return known }
    groupIndex.insert(hash.value, place: groups.count)
    groups.append(group)
    weights.append(0)
    return groups.count - 1
  }

  /// A user stack that the recorder did not see to its end.
  struct CompletedStack: Hashable {
    var space: AddressSpaceHandle
    /// Innermost first.
    var frames: [UInt64]
  }
  /// Gives a sample that is counted already the user stack `frames`, innermost first, in place of the one it was recorded with.
  /// - Parameter known: the stacks that were given before.
  mutating func complete(
    _ record: StackCopyRecord, frames: [UInt64], result: UInt8, known: inout [CompletedStack: StackHandle]
  ) {
    let completed = CompletedStack(space: record.addressSpace, frames: frames)
    guard let stack = known[completed] ?? trie.add(frames, in: record.addressSpace) else { return reject() }
    known[completed] = stack
    move(record.sample, to: stack, result: result)
  }

  /// Gives a sample that is counted already another user stack.
  mutating func move(_ sample: Sample, to stack: StackHandle, result: UInt8) {
    let thread = threads[sample.thread.rawValue] ?? (.max, 0)
    var group = SampleGroup(
      process: thread.process, threadName: thread.name, userStack: sample.userStack, kernelStack: sample.kernelStack,
      event: sample.event)
    let place = index(of: group)
    // What its samples do not have cannot be taken from it.
    guard weights[place] >= sample.weight, resultCounts[Int(sample.result)] > 0 else { return reject() }
    weights[place] -= sample.weight
    resultCounts[Int(sample.result)] -= 1
    resultCounts[Int(result)] &+= 1
    group.userStack = stack
    weights[index(of: group)] &+= sample.weight
  }

  // MARK: What follows from it

  /// Whether all frames of `stack` are there.
  package func hasStack(_ stack: StackHandle) -> Bool { trie.leaf(of: stack) != nil }

  /// The code addresses of a user stack, innermost first; `nil` when a part of it is lost.
  package func userFrames(of stack: StackHandle) -> [UInt64]? { trie.userFrames(of: stack) }

  /// The file that `address` lies in and the place in it, for a reader's eyes.
  package func place(of address: UInt64, in space: AddressSpaceHandle) -> String {
    guard let mapping = spaces[space.rawValue]?.mapping(at: address) else { return "[no mapping]" }
    let offset = address &- mapping.start &+ mapping.fileOffset
    return "\(images[mapping.image]?.path ?? "[image \(mapping.image)]")+0x\(String(offset, radix: 16))"
  }

  package var lostSamples: UInt64 {
    losses.reduce(0) { $1.reason.isSamples ? $0.addingReportingOverflow($1.count).partialValue : $0 }
  }

  /// The newest finished layer of `kind` whose every record is there.
  func newestLayer(_ kind: LayerEndRecord.Kind) -> UInt32? {
    for end in finishedLayers.reversed() where end.kind == kind {
      let count: Int
      switch kind {
      case .symbols: count = symbolLayers[end.layer]?.recordCount ?? 0
      case .labels: count = labelLayers[end.layer]?.count ?? 0
      }
      if count == Int(end.recordCount) { return end.layer }
    }
    return nil
  }

  /// When samples began to be taken, and how long they were: from the recorder's own words, else from the samples.
  package func period(anchor: ClockAnchor) -> (start: UnixInstant, durationNanoseconds: UInt64) {
    let first = firstSampleMicroseconds == .max ? anchor.monotonic.nanoseconds : firstSampleMicroseconds &* 1000
    let start = facts["start.time"].flatMap { UInt64($0) } ?? first
    let end = facts["end.time"].flatMap { UInt64($0) } ?? max(lastSampleMicroseconds &* 1000, start)
    return (anchor.unix(at: MonotonicInstant(nanoseconds: start)), end >= start ? end - start : 0)
  }
}
