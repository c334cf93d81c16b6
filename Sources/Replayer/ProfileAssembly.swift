import Base
import Interpreters
import Profile
import Targets
import TraceFormat

/// Builds one profile, naming each location when it is first met.
///
/// The replay is lent to each call instead of kept: a copy of it counts references for every part it has.
struct ProfileAssembly {
  private let labelsSamples: Bool
  private let marks: SampleMarks
  /// By program and index of the thread's name.
  private var markLabels: [UInt64: SampleLabels] = [:]
  private var builder: ProfileBuilder
  /// By location: its handle + 1, 0 before it is known. `ofProgram` is set for anonymous memory, whose names depend on
  /// the program: `owners` says which one the handle is for.
  private var handles: [UInt32]
  private var owners: [UInt32] = []
  private static let ofProgram: UInt32 = 1 << 31
  private struct ProgramLocation: Hashable {
    var process: UInt32
    var location: UInt32
  }
  /// Two programs seldom share a location of anonymous memory; this is for those.
  private var anonymousHandles: [ProgramLocation: LocationHandle] = [:]
  private var images: [ImagePlace] = []
  private var imagePlaces: [UInt32: Int] = [:]
  private var lastImage: (image: UInt32, place: Int)?
  private var nameCursor = SymbolNames.Cursor()
  private var functions: [SymbolNames.NamedFrame: FunctionHandle] = [:]
  /// Functions of which only the name is known, by its number, + 1: nearly all of them with symbol tables alone.
  private var bareFunctions: [UInt32]
  private var labelCache: [LabelSet: SampleLabels] = [:]
  private var labelsOf: [UInt32: SampleLabels] = [:]
  private var lastLabels: (process: UInt32, labels: SampleLabels)?
  private var threadNames: [StringHandle?]
  private let period: UInt64
  /// By node of the trie: the stack that ends there as a caller, + 1, 0 before it is known. `ofProgram` is set where a
  /// frame of it lies in anonymous memory; `stackOwners` says which program it is for.
  private var stacks: [UInt32]
  private var stackOwners: [UInt32] = []
  private var frames: [UInt32] = []
  private var newNodes: [(node: UInt32, location: UInt32)] = []
  private static let noLocation = UInt32.max
  private var nameBytes: [UInt8] = []
  /// What the placeholders of anonymous memory begin with in the program asked for last.
  private var lastProgram: (process: UInt32, prefix: [UInt8])?

  /// What is asked of an image again and again.
  private struct ImagePlace {
    enum Kind { case file, anonymous, kernel, interpreter, none }
    var kind: Kind
    /// What its placeholders begin with, `libfoo.so+0x`; empty where that depends on the program or the address.
    var prefix: [UInt8] = []
    /// `PT_LOAD`s: first address and bytes in memory.
    var segments: [(start: UInt64, byteCount: UInt64)] = []
    /// By segment, and last for none of them; the kernel's by module.
    var mappings: [MappingHandle?] = []
  }

  init(_ replay: Replay, labelsSamples: Bool, _ marks: SampleMarks = SampleMarks()) {
    self.labelsSamples = labelsSamples
    self.marks = marks
    let count = replay.locations.locations.count
    builder = ProfileBuilder(expectedStrings: replay.names.strings.count, expectedSamples: replay.contents.groups.count)
    handles = [UInt32](repeating: 0, count: count)
    stacks = [UInt32](repeating: 0, count: replay.locations.nodeCount)
    bareFunctions = [UInt32](repeating: 0, count: replay.names.strings.count)
    threadNames = [StringHandle?](repeating: nil, count: replay.contents.threadNames.count)
    let event = replay.contents.events[0]
    period = max(event?.period ?? 1, 1)
    builder.addSampleType(event?.type ?? "cpu", unit: event?.unit ?? "nanoseconds")
    builder.setPeriod(Int64(clamping: period), of: event?.type ?? "cpu", unit: event?.unit ?? "nanoseconds")
    let time = replay.contents.period(anchor: replay.header.anchor)
    builder.setTime(startNanoseconds: time.start.nanoseconds, durationNanoseconds: Int64(clamping: time.durationNanoseconds))
  }

  /// Adds the samples of `group`; `labels` is asked once for each program.
  mutating func add(_ group: Int, of replay: Replay, labels: (UInt32) -> LabelSet) {
    let key = replay.contents.groups[group]
    let stack = stack(group, process: key.process, of: replay)
    if labelsSamples, lastLabels?.process != key.process {
      let known = labelsOf[key.process] ?? sampleLabels(labels(key.process))
      labelsOf[key.process] = known
      lastLabels = (key.process, known)
    }
    let threadName = replay.configuration.groupsByThreadName ? threadName(key.threadName, of: replay) : .empty
    let value = Int64(clamping: replay.contents.weights[group].multipliedReportingOverflow(by: period).partialValue)
    let labels = marks.labelsSamples ? marked(key, of: replay) : lastLabels?.labels ?? .none
    builder.addSample(stack: stack, value: value, labels: labels, threadName: threadName)
  }

  private mutating func marked(_ key: TraceContents.SampleGroup, of replay: Replay) -> SampleLabels {
    let place = UInt64(key.process) << 32 | UInt64(key.threadName)
    if let known = markLabels[place] { return known }
    var labels: [SampleLabel] = []
    if marks.labelsComm {
      labels.append(SampleLabel(key: builder.string("comm"), text: builder.string(replay.contents.threadNames[Int(key.threadName)])))
    }
    if marks.labelsProcess, let process = replay.contents.processes[key.process] {
      labels.append(SampleLabel(key: builder.string("pid"), text: builder.string(String(process.identity.pid.rawValue))))
    }
    let made = builder.labels(labels)
    markLabels[place] = made
    return made
  }

  // MARK: Stacks

  private mutating func stack(_ group: Int, process: UInt32, of replay: Replay) -> ProfileStack {
    let leaves = replay.leaves[group]
    let showsKernel = marks.showsKernelFrames
    if leaves.isMissing(withKernel: showsKernel) {
      return wholeStack(group, process: process, calledFrom: bare("[lost stack]"), of: replay)
    }
    if marks.framesComm {
      let name = replay.contents.threadNames[Int(replay.contents.groups[group].threadName)]
      return wholeStack(group, process: process, calledFrom: bare(name.isEmpty ? "[unknown]" : name), of: replay)
    }
    // Locations are numbered from the innermost frame on, stacks from the outermost.
    frames.removeAll(keepingCapacity: true)
    if showsKernel, leaves.kernel != 0 { replay.locations.append(stackEndingAt: leaves.kernel, to: &frames) }
    for place in frames.indices { frames[place] = handle(frames[place], process: process, of: replay).rawValue }
    var stack = leaves.user == 0 ? ProfileStack.empty : userStack(leaves.user, process: process, of: replay)
    for place in frames.indices.reversed() { stack = builder.stack(LocationHandle(frames[place]), calledFrom: stack) }
    // What began without a caller: the kernel's own work, or nothing at all.
    if stack == .empty {
      return builder.stack(bare(leaves.kernel != 0 && !showsKernel ? "[kernel]" : "[lost stack]"), calledFrom: .empty)
    }
    return stack
  }

  /// The stack of a group frame by frame, below one that is not its own: what stands for a part that the trace has lost, say.
  private mutating func wholeStack(
    _ group: Int, process: UInt32, calledFrom outermost: LocationHandle, of replay: Replay
  ) -> ProfileStack {
    frames.removeAll(keepingCapacity: true)
    _ = replay.appendStack(group, withKernel: marks.showsKernelFrames, to: &frames)
    for place in frames.indices { frames[place] = handle(frames[place], process: process, of: replay).rawValue }
    var stack = builder.stack(outermost, calledFrom: .empty)
    for place in frames.indices.reversed() { stack = builder.stack(LocationHandle(frames[place]), calledFrom: stack) }
    return stack
  }

  /// Walks up from `leaf` to the first caller whose stack is known, so that each node of the trie is named once.
  private mutating func userStack(_ leaf: UInt32, process: UInt32, of replay: Replay) -> ProfileStack {
    guard let (location, firstCaller) = replay.locations.innermostFrame(leaf) else { return .empty }
    let isShown = !replay.hidden.contains(location)
    let innermost = handle(location, process: process, of: replay)
    newNodes.removeAll(keepingCapacity: true)
    var node = firstCaller
    var stack = ProfileStack.empty
    var isOfProgram = false
    while node != 0 {
      let known = stacks[Int(node)]
      if known != 0, known < Self.ofProgram || stackOwners[Int(node)] == process {
        stack = ProfileStack((known & ~Self.ofProgram) &- 1)
        isOfProgram = known >= Self.ofProgram
        break
      }
      let frame = replay.locations.frame(node)
      let shown = frame.location.flatMap { !replay.hidden.isEmpty && replay.hidden.contains($0) ? nil : $0 }
      let number = shown ?? Self.noLocation
      if let location = shown { _ = handle(location, process: process, of: replay) }
      newNodes.append((node, number))
      node = frame.caller
    }
    for place in newNodes.indices.reversed() {
      let (node, location) = newNodes[place]
      if location != Self.noLocation {
        isOfProgram = isOfProgram || handles[Int(location)] >= Self.ofProgram
        stack = builder.stack(handle(location, process: process, of: replay), calledFrom: stack)
      }
      stacks[Int(node)] = stack.rawValue &+ 1 | (isOfProgram ? Self.ofProgram : 0)
      if isOfProgram {
        if stackOwners.isEmpty { stackOwners = [UInt32](repeating: 0, count: stacks.count) }
        stackOwners[Int(node)] = process
      }
    }
    return isShown ? builder.stack(innermost, calledFrom: stack) : stack
  }

  /// Readers take the first mapping for the main binary: that of the program with the most samples.
  mutating func addMainMapping(of groups: some Sequence<Int>, of replay: Replay) {
    var weights: [UInt32: UInt64] = [:]
    for group in groups { weights[replay.contents.groups[group].process, default: 0] &+= replay.contents.weights[group] }
    let heaviest = weights.max { ($0.value, $1.key) < ($1.value, $0.key) }?.key
    guard let heaviest, let program = replay.contents.processes[heaviest]?.executable, !program.isEmpty else { return }
    let images = Set(replay.contents.images.values.lazy.filter { $0.kind == .file && $0.path == program }.map(\.handle.rawValue))
    guard !images.isEmpty, let location = replay.locations.locations.first(where: { images.contains($0.image) }) else { return }
    _ = mapping(for: location, imagePlace(location.image, of: replay), of: replay)
  }

  consuming func finish() -> Profile { builder.finish() }

  private mutating func threadName(_ index: UInt32, of replay: Replay) -> StringHandle {
    if let known = threadNames[Int(index)] { return known }
    let handle = builder.string(replay.contents.threadNames[Int(index)])
    threadNames[Int(index)] = handle
    return handle
  }

  private mutating func sampleLabels(_ labels: LabelSet) -> SampleLabels {
    if let known = labelCache[labels] { return known }
    let made = builder.labels(
      labels.labels.map { SampleLabel(key: builder.string($0.name), text: builder.string($0.value)) })
    labelCache[labels] = made
    return made
  }

  /// A frame that is a name alone.
  private mutating func bare(_ name: String) -> LocationHandle {
    let function = builder.function(name: builder.string(name))
    return builder.location(mapping: nil, address: 0, lines: [ProfileLine(function: function)])
  }

  @inline(__always)
  private mutating func handle(_ number: UInt32, process: UInt32, of replay: Replay) -> LocationHandle {
    let known = handles[Int(number)]
    if known != 0, known < Self.ofProgram { return LocationHandle(known &- 1) }
    return newHandle(number, process: process, of: replay)
  }

  private mutating func newHandle(_ number: UInt32, process: UInt32, of replay: Replay) -> LocationHandle {
    let known = handles[Int(number)]
    let programLocation = ProgramLocation(process: process, location: number)
    if known != 0 {
      if owners[Int(number)] == process { return LocationHandle(known & ~Self.ofProgram &- 1) }
      if let known = anonymousHandles[programLocation] { return known }
    }
    let location = replay.locations.locations[Int(number)]
    let place = imagePlace(location.image, of: replay)
    let isKernel = location.image == ImageHandle.kernel.rawValue
    let frames = replay.names.frames(of: location, &nameCursor)
    let handle: LocationHandle
    if frames.count < 2 {
      let line: ProfileLine
      if let frame = frames.first.map({ replay.names.frame($0) }) {
        line = ProfileLine(function: function(frame, of: replay), line: frame.line)
      } else {
        line = ProfileLine(function: builder.function(name: placeholder(location, place, process: process, of: replay)))
      }
      let mapping = mapping(for: location, place, of: replay)
      // A place is met once, and no two lie at one address of one mapping.
      handle =
        mapping != nil
        ? builder.newLocation(mapping: mapping, address: location.address, line: line, isKernel: isKernel)
        : builder.location(mapping: nil, address: location.address, lines: [line], isKernel: isKernel)
    } else {
      var lines: [ProfileLine] = []
      for index in frames {
        let frame = replay.names.frame(index)
        lines.append(ProfileLine(function: function(frame, of: replay), line: frame.line))
      }
      handle = builder.location(
        mapping: mapping(for: location, place, of: replay), address: location.address, lines: lines, isKernel: isKernel)
    }
    if images[place].kind == .anonymous {
      if owners.isEmpty { owners = [UInt32](repeating: 0, count: handles.count) }
      owners[Int(number)] = process
      handles[Int(number)] = Self.ofProgram | (handle.rawValue + 1)
      anonymousHandles[programLocation] = handle
    } else {
      handles[Int(number)] = handle.rawValue + 1
    }
    return handle
  }

  /// `FrameNamer.placeholder`, put together from bytes: garbage of a walk along frame pointers makes them by the ten thousand.
  private mutating func placeholder(
    _ location: CodeLocation, _ place: Int, process: UInt32, of replay: Replay
  ) -> StringHandle {
    nameBytes.removeAll(keepingCapacity: true)
    var offset = location.address
    if images[place].kind == .anonymous {
      if lastProgram?.process != process {
        let parts = FrameNamer.placeholderParts(location, process: replay.contents.processes[process], replay.contents)
        lastProgram = (process, Array((parts.place + "+0x").utf8))
      }
      if let lastProgram { nameBytes.append(contentsOf: lastProgram.prefix) }
    } else if images[place].prefix.isEmpty {
      let record = replay.contents.processes[process]
      let parts = FrameNamer.placeholderParts(location, process: record, replay.contents)
      nameBytes.append(contentsOf: parts.place.utf8)
      nameBytes.append(contentsOf: "+0x".utf8)
      offset = parts.offset
    } else {
      nameBytes.append(contentsOf: images[place].prefix)
    }
    var shift = offset == 0 ? 0 : (63 - offset.leadingZeroBitCount) / 4 * 4
    while shift >= 0 {
      let digit = UInt8(truncatingIfNeeded: offset >> UInt64(shift)) & 15
      nameBytes.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
      shift -= 4
    }
    // Taken out meanwhile, because its span is lent to another part of the same value.
    let bytes = nameBytes
    nameBytes = []
    defer { nameBytes = bytes }
    // Half of all places may lie in no mapping, and each has a name of its own. Only a place in an image whose record is
    // lost may be called the same; then the name is there twice, which readers do not mind.
    if location.image == CodeLocation.unmapped { return builder.newString(utf8: bytes.span) }
    return builder.string(utf8: bytes.span)
  }

  private mutating func function(_ frame: SymbolNames.NamedFrame, of replay: Replay) -> FunctionHandle {
    let isBare = frame.file == 0 && frame.startLine == 0
    if isBare, bareFunctions[Int(frame.function)] != 0 { return FunctionHandle(bareFunctions[Int(frame.function)] - 1) }
    var key = frame
    key.line = 0
    if !isBare, let known = functions[key] { return known }
    let strings = replay.names.strings
    let linkage = StringHandle(frame.function)
    let shown = replay.shownNames.withText(frame.function) { builder.string(utf8: $0) }
    let system = strings.withSpan(linkage) { builder.string(utf8: $0) }
    let name = shown ?? system
    let handle = builder.function(
      name: name, systemName: system == name ? .empty : system,
      file: strings.withSpan(StringHandle(frame.file)) { builder.string(utf8: $0) }, startLine: frame.startLine)
    if isBare { bareFunctions[Int(frame.function)] = handle.rawValue + 1 } else { functions[key] = handle }
    return handle
  }

  // MARK: Images

  private mutating func imagePlace(_ image: UInt32, of replay: Replay) -> Int {
    if let lastImage, lastImage.image == image { return lastImage.place }
    let place: Int
    if let known = imagePlaces[image] {
      place = known
    } else {
      place = images.count
      images.append(Self.place(image, of: replay))
      imagePlaces[image] = place
    }
    lastImage = (image, place)
    return place
  }

  private static func place(_ image: UInt32, of replay: Replay) -> ImagePlace {
    let unknown = Array("[unknown]+0x".utf8)
    if image == CodeLocation.unmapped { return ImagePlace(kind: .none, prefix: unknown) }
    if image == ImageHandle.kernel.rawValue {
      return ImagePlace(kind: .kernel, mappings: [MappingHandle?](repeating: nil, count: replay.contents.kernelModules.count + 1))
    }
    if let interpreter = CodeLocation.interpreter(ofImage: image) {
      return ImagePlace(kind: .interpreter, prefix: Array("\(interpreter.imageName)+0x".utf8), mappings: [nil])
    }
    guard let record = replay.contents.images[image] else { return ImagePlace(kind: .none, prefix: unknown) }
    if record.kind == .anonymous { return ImagePlace(kind: .anonymous) }
    return ImagePlace(
      kind: .file, prefix: Array((FrameNamer.baseName(record.path) + "+0x").utf8),
      segments: record.segments.map { ($0.address.rawValue, $0.memoryByteCount) },
      mappings: [MappingHandle?](repeating: nil, count: record.segments.count + 1))
  }

  private mutating func mapping(for location: CodeLocation, _ place: Int, of replay: Replay) -> MappingHandle? {
    switch images[place].kind {
    case .none, .anonymous: return nil
    case .interpreter:
      if let known = images[place].mappings[0] { return known }
      let name = location.interpreter?.imageName ?? ""
      let handle = builder.mapping(
        ProfileMapping(start: 0, limit: 1 << 56, offset: 0, file: builder.string(name), buildID: builder.string("")))
      images[place].mappings[0] = handle
      return handle
    case .kernel: return kernelMapping(location.address, place, of: replay)
    case .file:
      var segment = 0
      let count = images[place].segments.count
      while segment < count {
        let (start, byteCount) = images[place].segments[segment]
        if location.address >= start, location.address &- start < byteCount { break }
        segment += 1
      }
      if let known = images[place].mappings[segment] { return known }
      guard let image = replay.contents.images[location.image] else { return nil }
      let bounds = segment < count ? image.segments[segment] : nil
      let start = bounds?.address.rawValue ?? 0
      let handle = builder.mapping(
        ProfileMapping(
          start: start, limit: start &+ (bounds?.memoryByteCount ?? image.byteCount), offset: bounds?.fileOffset.rawValue ?? 0,
          file: builder.string(image.path), buildID: builder.string(image.buildID?.hex ?? "")))
      images[place].mappings[segment] = handle
      return handle
    }
  }

  private mutating func kernelMapping(_ address: UInt64, _ place: Int, of replay: Replay) -> MappingHandle? {
    let modules = replay.contents.kernelModules
    let index = modules.firstIndex { $0.address <= address && address - $0.address < $0.byteCount }
    if let known = images[place].mappings[index ?? modules.count] { return known }
    let module = index.map { modules[$0] }
    let handle = builder.mapping(
      ProfileMapping(
        start: module?.address ?? 0, limit: module.map { $0.address &+ $0.byteCount } ?? .max, offset: 0,
        file: builder.string(module?.name ?? "vmlinux"), buildID: builder.string(module?.buildID ?? "")))
    images[place].mappings[index ?? modules.count] = handle
    return handle
  }
}
