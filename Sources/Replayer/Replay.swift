import Base
package import Profile
import Symbolize
package import Targets
package import TraceFormat

/// A trace turned into profiles, in four passes: what it says, which places in code its stacks stand for, what those are
/// called, and the samples by stack and series.
package struct Replay: Sendable {
  package let header: SegmentHeader
  package let contents: TraceContents
  private let configuration: ReplayConfiguration
  private let locations: CodeLocations
  package let names: SymbolNames
  package let imageSteps: [SymbolizeStage.ImageSteps]
  /// The locations of each group of samples, innermost first, one after another; ends by group.
  private let stackLocations: [UInt32]
  private let stackEnds: [Int]
  private let isMissing: [Bool]
  /// Frames of all distinct stacks together: deep stacks cost a hostile file little and must not fill the memory.
  private static let maximumFrames = 1 << 27

  /// - Parameter stage: looks symbols up where the trace holds none; `nil` leaves them without names.
  package init(
    header: SegmentHeader, contents: TraceContents, _ configuration: ReplayConfiguration, symbolizingWith stage: SymbolizeStage?
  ) {
    self.header = header
    self.contents = contents
    self.configuration = configuration
    var locations = CodeLocations(contents)
    var stackLocations: [UInt32] = []
    var stackEnds: [Int] = []
    var isMissing: [Bool] = []
    stackEnds.reserveCapacity(contents.groups.count)
    for group in contents.groups {
      let hasRoom = stackLocations.count < Self.maximumFrames
      let kernel = hasRoom ? contents.trie.leaf(of: group.kernelStack) : nil
      let user = hasRoom ? contents.trie.leaf(of: group.userStack) : nil
      if let kernel { locations.append(stackEndingAt: kernel, of: contents, to: &stackLocations) }
      if let user { locations.append(stackEndingAt: user, of: contents, to: &stackLocations) }
      isMissing.append(kernel == nil || user == nil)
      stackEnds.append(stackLocations.count)
    }
    if !configuration.ignoresRecordedSymbols, let recorded = SymbolNames(layerOf: contents) {
      names = recorded
      imageSteps = []
    } else if let stage {
      (names, imageSteps) = stage.run(locations.locations, contents)
    } else {
      (names, imageSteps) = (SymbolNames(), [])
    }
    self.locations = locations
    self.stackLocations = stackLocations
    self.stackEnds = stackEnds
    self.isMissing = isMissing
  }

  /// The records that keep the names in the trace as layer `layer`, its end not among them.
  package func symbolRecords(layer: UInt32) -> [TraceRecord] { names.records(layer: layer) }

  private func stack(_ group: Int) -> ArraySlice<UInt32> {
    stackLocations[(group == 0 ? 0 : stackEnds[group - 1])..<stackEnds[group]]
  }

  // MARK: Profiles

  /// One profile of the whole trace, each sample with its series' labels.
  package func profile() -> Profile {
    let labeler = Labeler(contents)
    var assembly = ProfileAssembly(self, labelsSamples: true)
    assembly.addMainMapping(of: contents.groups.indices)
    var labelsOf: [UInt32: LabelSet?] = [:]
    for group in contents.groups.indices {
      let process = contents.groups[group].process
      let labels = labelsOf[process] ?? labeler.labels(of: contents.processes[process])
      labelsOf[process] = .some(labels)
      guard let labels else { continue }
      assembly.add(group, labels: labels)
    }
    return assembly.finish()
  }

  /// One profile a series, sorted by labels.
  package func profilesBySeries() -> [(labels: LabelSet, profile: Profile)] {
    let labeler = Labeler(contents)
    var groupsOf: [LabelSet: [Int]] = [:]
    var labelsOf: [UInt32: LabelSet?] = [:]
    for group in contents.groups.indices {
      let process = contents.groups[group].process
      let labels = labelsOf[process] ?? labeler.labels(of: contents.processes[process])
      labelsOf[process] = .some(labels)
      guard let labels else { continue }
      groupsOf[labels, default: []].append(group)
    }
    return groupsOf.keys.sorted().map { labels in
      var assembly = ProfileAssembly(self, labelsSamples: false)
      assembly.addMainMapping(of: groupsOf[labels] ?? [])
      for group in groupsOf[labels] ?? [] { assembly.add(group, labels: labels) }
      return (labels, assembly.finish())
    }
  }

  /// Builds one profile, naming each location when it is first met.
  private struct ProfileAssembly {
    private let replay: Replay
    private let labelsSamples: Bool
    private var builder: ProfileBuilder
    private var namer: FrameNamer
    private var handles: [LocationHandle?]
    /// For anonymous memory a name depends on the program: the one that the handle in `handles` is for, `anyProcess` for
    /// all other memory. Two programs seldom share such a location; `anonymousHandles` is for those.
    private var owners: [UInt32]
    private static let anyProcess = UInt32.max - 1
    private struct ProgramLocation: Hashable {
      var process: UInt32
      var location: UInt32
    }
    private var anonymousHandles: [ProgramLocation: LocationHandle] = [:]
    private var mappings: [MappingKey: MappingHandle] = [:]
    private struct MappingKey: Hashable {
      var image: UInt32
      var segment: Int
    }
    private var functions: [SymbolNames.NamedFrame: FunctionHandle] = [:]
    /// Functions of which only the name is known, by its number: nearly all of them with symbol tables alone.
    private var bareFunctions: [FunctionHandle?]
    private var labelCache: [LabelSet: [SampleLabel]] = [:]
    private var threadNames: [StringHandle?]
    private let period: UInt64
    private var scratch: [LocationHandle] = []
    private var nameBytes: [UInt8] = []

    init(_ replay: Replay, labelsSamples: Bool) {
      self.replay = replay
      self.labelsSamples = labelsSamples
      builder = ProfileBuilder(
        expectedLocations: replay.locations.locations.count, expectedSamples: replay.contents.groups.count)
      namer = FrameNamer(replay.names, mode: replay.configuration.demangle)
      handles = [LocationHandle?](repeating: nil, count: replay.locations.locations.count)
      owners = [UInt32](repeating: Self.anyProcess, count: replay.locations.locations.count)
      bareFunctions = [FunctionHandle?](repeating: nil, count: replay.names.strings.count)
      threadNames = [StringHandle?](repeating: nil, count: replay.contents.threadNames.count)
      let event = replay.contents.events[0]
      period = max(event?.period ?? 1, 1)
      builder.addSampleType(event?.type ?? "cpu", unit: event?.unit ?? "nanoseconds")
      builder.setPeriod(Int64(clamping: period), of: event?.type ?? "cpu", unit: event?.unit ?? "nanoseconds")
      let time = replay.contents.period(anchor: replay.header.anchor)
      builder.setTime(startNanoseconds: time.start.nanoseconds, durationNanoseconds: Int64(clamping: time.durationNanoseconds))
    }

    mutating func add(_ group: Int, labels: LabelSet) {
      let key = replay.contents.groups[group]
      scratch.removeAll(keepingCapacity: true)
      for location in replay.stack(group) { scratch.append(handle(location, process: key.process)) }
      if scratch.isEmpty || replay.isMissing[group] { scratch.append(lostFrame()) }
      let value = Int64(clamping: replay.contents.weights[group].multipliedReportingOverflow(by: period).partialValue)
      builder.addSample(
        locations: scratch, values: [value], labels: labelsSamples ? sampleLabels(labels) : [],
        threadName: replay.configuration.groupsByThreadName ? threadName(key.threadName) : .empty)
    }

    /// Readers take the first mapping for the main binary: that of the program with the most samples.
    mutating func addMainMapping(of groups: some Sequence<Int>) {
      var weights: [UInt32: UInt64] = [:]
      for group in groups { weights[replay.contents.groups[group].process, default: 0] &+= replay.contents.weights[group] }
      let heaviest = weights.max { ($0.value, $1.key) < ($1.value, $0.key) }?.key
      guard let heaviest, let program = replay.contents.processes[heaviest]?.executable, !program.isEmpty else { return }
      for location in replay.locations.locations {
        guard let image = replay.contents.images[location.image], image.kind == .file, image.path == program else { continue }
        _ = mapping(for: location, image)
        return
      }
    }

    consuming func finish() -> Profile { builder.finish() }

    private mutating func threadName(_ index: UInt32) -> StringHandle {
      if let known = threadNames[Int(index)] { return known }
      let handle = builder.string(replay.contents.threadNames[Int(index)])
      threadNames[Int(index)] = handle
      return handle
    }

    private mutating func sampleLabels(_ labels: LabelSet) -> [SampleLabel] {
      if let known = labelCache[labels] { return known }
      let made = labels.labels.map { SampleLabel(key: builder.string($0.name), text: builder.string($0.value)) }
      labelCache[labels] = made
      return made
    }

    /// What stands for a stack, or the part of one, that the trace has lost.
    private mutating func lostFrame() -> LocationHandle {
      let function = builder.function(name: builder.string("[lost stack]"))
      return builder.location(mapping: nil, address: 0, lines: [ProfileLine(function: function)])
    }

    private mutating func handle(_ number: UInt32, process: UInt32) -> LocationHandle {
      let owner = owners[Int(number)]
      if owner == Self.anyProcess || owner == process, let known = handles[Int(number)] { return known }
      let location = replay.locations.locations[Int(number)]
      let image = location.image == CodeLocation.unmapped ? nil : replay.contents.images[location.image]
      let isAnonymous = image?.kind == .anonymous
      let programLocation = ProgramLocation(process: process, location: number)
      if owner != Self.anyProcess, let known = anonymousHandles[programLocation] { return known }
      let isKernel = location.image == ImageHandle.kernel.rawValue
      var lines: [ProfileLine] = []
      if case .frames(let frames) = replay.names.answer(for: location) {
        for frame in frames { lines.append(ProfileLine(function: function(frame), line: frame.line)) }
      } else {
        let name = placeholder(location, process: process)
        lines.append(ProfileLine(function: builder.function(name: name)))
      }
      let handle = builder.location(
        mapping: mapping(for: location, image), address: location.address, lines: lines, isKernel: isKernel)
      handles[Int(number)] = handle
      if isAnonymous {
        owners[Int(number)] = process
        anonymousHandles[programLocation] = handle
      }
      return handle
    }

    /// `FrameNamer.placeholder`, put together from bytes: garbage of a walk along frame pointers makes them by the ten thousand.
    private mutating func placeholder(_ location: CodeLocation, process: UInt32) -> StringHandle {
      let parts = FrameNamer.placeholderParts(location, process: replay.contents.processes[process], replay.contents)
      nameBytes.removeAll(keepingCapacity: true)
      nameBytes.append(contentsOf: parts.place.utf8)
      nameBytes.append(contentsOf: [UInt8(ascii: "+"), UInt8(ascii: "0"), UInt8(ascii: "x")])
      var shift = parts.offset == 0 ? 0 : (63 - parts.offset.leadingZeroBitCount) / 4 * 4
      while shift >= 0 {
        let digit = UInt8(truncatingIfNeeded: parts.offset >> UInt64(shift)) & 15
        nameBytes.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
        shift -= 4
      }
      // Taken out meanwhile, because its span is lent to another part of the same value.
      let bytes = nameBytes
      nameBytes = []
      defer { nameBytes = bytes }
      return builder.string(utf8: bytes.span)
    }

    private mutating func function(_ frame: SymbolNames.NamedFrame) -> FunctionHandle {
      let isBare = frame.file == 0 && frame.startLine == 0
      if isBare, let known = bareFunctions[Int(frame.function)] { return known }
      var key = frame
      key.line = 0
      if !isBare, let known = functions[key] { return known }
      let shown = namer.function(frame.function)
      let linkage = replay.names.strings[Int(frame.function)]
      let handle = builder.function(
        name: builder.string(shown), systemName: shown == linkage ? .empty : builder.string(linkage),
        file: builder.string(replay.names.strings[Int(frame.file)]), startLine: frame.startLine)
      if isBare { bareFunctions[Int(frame.function)] = handle } else { functions[key] = handle }
      return handle
    }

    private mutating func mapping(for location: CodeLocation, _ image: ImageRecord?) -> MappingHandle? {
      if location.image == CodeLocation.unmapped { return nil }
      if location.image == ImageHandle.kernel.rawValue { return kernelMapping(location.address) }
      guard let image, image.kind != .anonymous else { return nil }
      let segment =
        image.segments.firstIndex { segment in
          ImageAddress(location.address).distance(from: segment.address).map { $0 < segment.memoryByteCount } ?? false
        } ?? -1
      let key = MappingKey(image: location.image, segment: segment)
      if let known = mappings[key] { return known }
      let bounds = segment >= 0 ? image.segments[segment] : nil
      let start = bounds?.address.rawValue ?? 0
      let handle = builder.mapping(
        ProfileMapping(
          start: start, limit: start &+ (bounds?.memoryByteCount ?? image.byteCount), offset: bounds?.fileOffset.rawValue ?? 0,
          file: builder.string(image.path), buildID: builder.string(image.buildID?.hex ?? "")))
      mappings[key] = handle
      return handle
    }

    private mutating func kernelMapping(_ address: UInt64) -> MappingHandle? {
      let modules = replay.contents.kernelModules
      let index = modules.firstIndex { $0.address <= address && address - $0.address < $0.byteCount } ?? -1
      let key = MappingKey(image: ImageHandle.kernel.rawValue, segment: index)
      if let known = mappings[key] { return known }
      let module = index >= 0 ? modules[index] : nil
      let handle = builder.mapping(
        ProfileMapping(
          start: module?.address ?? 0, limit: module.map { $0.address &+ $0.byteCount } ?? .max, offset: 0,
          file: builder.string(module?.name ?? "vmlinux"), buildID: builder.string(module?.buildID ?? "")))
      mappings[key] = handle
      return handle
    }
  }

  // MARK: The report

  /// - Parameter functionCount: how many of the heaviest functions to name.
  package func report(functionCount: Int = 50) -> ReplayReport {
    var report = ReplayReport()
    report.traceID = header.traceID.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    report.durationNanoseconds = contents.period(anchor: header.anchor).durationNanoseconds
    report.frequencyHertz = contents.events[0]?.frequencyHertz ?? 0
    report.samples = contents.sampleCount
    report.lostSamples = contents.lostSamples
    for loss in contents.losses { report.losses[loss.reason, default: 0] &+= loss.count }
    report.unwindResults = contents.unwindResults
    report.stacks = contents.trie.stackCount
    report.processes = contents.processes.count
    report.threads = contents.threadCount
    report.inconsistentRecords = contents.inconsistentRecords

    var images: [UInt32: ReplayReport.Image] = [:]
    var answers: [Bool] = []
    for location in locations.locations {
      var image = images[location.image] ?? newImage(location.image)
      if case .frames = names.answer(for: location) {
        image.named += 1
        report.namedAddresses += 1
        answers.append(true)
      } else {
        var reason: UInt8 = 0
        if case .unknown(let why) = names.answer(for: location) { reason = why }
        image.unknown[reason, default: 0] += 1
        report.unknownAddresses[reason, default: 0] += 1
        answers.append(false)
      }
      images[location.image] = image
    }
    report.addresses = locations.locations.count

    var namer = FrameNamer(names, mode: configuration.demangle)
    // Functions by string number; places without a name by what stands for them.
    var selfWeights: [String: UInt64] = [:]
    var totalWeights: [String: UInt64] = [:]
    var nameOf: [UInt32: [String]] = [:]
    for group in contents.groups.indices {
      let weight = contents.weights[group]
      report.weight &+= weight
      if isMissing[group] { report.missingStacks += 1 }
      var seen: Set<String> = []
      var unnamed: Set<UInt32> = []
      var isFirst = true
      for number in stack(group) {
        let location = locations.locations[Int(number)]
        if isFirst { images[location.image]?.selfWeight &+= weight }
        if !answers[Int(number)], unnamed.insert(location.image).inserted { images[location.image]?.unnamedWeight &+= weight }
        let list: [String]
        if let known = nameOf[number] {
          list = known
        } else if case .frames(let frames) = names.answer(for: location) {
          list = frames.map { namer.function($0.function) }
          nameOf[number] = list
        } else {
          list = [FrameNamer.placeholder(location, process: contents.processes[contents.groups[group].process], contents)]
          if contents.images[location.image]?.kind != .anonymous { nameOf[number] = list }
        }
        for name in list {
          if isFirst { selfWeights[name, default: 0] &+= weight }
          isFirst = false
          if seen.insert(name).inserted { totalWeights[name, default: 0] &+= weight }
        }
      }
    }
    report.images = images.keys.sorted().compactMap { images[$0] }.sorted {
      ($0.unnamedWeight, $1.path, $1.buildID) > ($1.unnamedWeight, $0.path, $0.buildID)
    }
    report.functions = totalWeights.map {
      ReplayReport.Function(name: $0.key, selfWeight: selfWeights[$0.key] ?? 0, totalWeight: $0.value)
    }.sorted { ($0.selfWeight, $0.totalWeight, $1.name) > ($1.selfWeight, $1.totalWeight, $0.name) }
    if report.functions.count > functionCount { report.functions.removeLast(report.functions.count - functionCount) }
    return report
  }

  private func newImage(_ handle: UInt32) -> ReplayReport.Image {
    if handle == CodeLocation.unmapped { return ReplayReport.Image(path: "[unknown]", buildID: "") }
    if handle == ImageHandle.kernel.rawValue {
      return ReplayReport.Image(
        path: "vmlinux", buildID: contents.kernelModules.first { $0.name == "vmlinux" }?.buildID ?? "")
    }
    let image = contents.images[handle]
    return ReplayReport.Image(path: image?.path ?? "[unknown]", buildID: image?.buildID?.hex ?? "")
  }
}
