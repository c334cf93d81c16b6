import Base
import Interpreters
package import Profile
import Symbolize
package import Targets
package import TraceFormat

/// A trace turned into profiles, in four passes: what it says, which places in code its stacks stand for, what those are
/// called, and the samples by stack and series.
package struct Replay: Sendable {
  package let header: SegmentHeader
  package private(set) var contents: TraceContents
  let configuration: ReplayConfiguration
  let locations: CodeLocations
  package let names: SymbolNames
  let shownNames: ShownNames
  package let imageSteps: [SymbolizeStage.ImageSteps]
  /// Locations that are left out of every stack: what an interpreter made to be seen by profilers that do not see its frames.
  let hidden: Set<UInt32>
  /// The innermost nodes of each group's stacks: 0 for no stack, `FrameTrie.missing` for one that is lost.
  let leaves: [Leaves]
  struct Leaves: Sendable {
    var kernel: UInt32
    var user: UInt32
    func isMissing(withKernel: Bool) -> Bool { withKernel && kernel == FrameTrie.missing || user == FrameTrie.missing }
  }
  /// Frames of all distinct stacks together: deep stacks cost a hostile file little and must not fill the memory.
  private static let maximumFrames = 1 << 27

  /// - Parameter stage: looks symbols up where the trace holds none; `nil` leaves them without names.
  package init(
    header: SegmentHeader, contents: TraceContents, _ configuration: ReplayConfiguration, symbolizingWith stage: SymbolizeStage?
  ) {
    self.header = header
    self.configuration = configuration
    let recorded = configuration.ignoresRecordedSymbols ? nil : SymbolNames(layerOf: contents)
    let (found, shown) = side(
      bySideOn: configuration.workers, { Self.locate(contents) },
      { recorded.map { ShownNames($0, mode: configuration.demangle, workers: 1) } })
    (locations, leaves) = (found.locations, found.leaves)
    if let recorded {
      names = recorded
      imageSteps = []
    } else if let stage {
      (names, imageSteps) = stage.run(locations.locations, contents)
    } else {
      (names, imageSteps) = (SymbolNames(), [])
    }
    hidden = Self.trampolines(locations.locations, contents, names)
    self.contents = contents
    self.contents.trie.forgetFrames()
    shownNames = shown ?? ShownNames(names, mode: configuration.demangle, workers: configuration.workers)
  }

  private static func locate(_ contents: TraceContents) -> (locations: CodeLocations, leaves: [Leaves]) {
    var locations = CodeLocations(contents)
    var leaves: [Leaves] = []
    var frameCount = 0
    leaves.reserveCapacity(contents.groups.count)
    for group in contents.groups {
      let hasRoom = frameCount < Self.maximumFrames
      let kernel = (hasRoom ? contents.trie.leaf(of: group.kernelStack) : nil) ?? FrameTrie.missing
      let user = (hasRoom ? contents.trie.leaf(of: group.userStack) : nil) ?? FrameTrie.missing
      if kernel != FrameTrie.missing { frameCount += locations.enter(stackEndingAt: kernel) }
      if user != FrameTrie.missing { frameCount += locations.enter(stackEndingAt: user) }
      leaves.append(Leaves(kernel: kernel, user: user))
    }
    locations.finish()
    return (locations, leaves)
  }

  /// The records that keep the names in the trace as layer `layer`, its end not among them.
  package func symbolRecords(layer: UInt32) -> [TraceRecord] { names.records(layer: layer) }

  /// Appends the locations of a group's stack, innermost first.
  /// - Returns: whether the trace has lost a part of it.
  func appendStack(_ group: Int, withKernel: Bool = true, to stack: inout [UInt32]) -> Bool {
    let leaves = leaves[group]
    if withKernel, leaves.kernel != FrameTrie.missing { locations.append(stackEndingAt: leaves.kernel, to: &stack) }
    if leaves.user != FrameTrie.missing { locations.append(stackEndingAt: leaves.user, to: &stack) }
    if !hidden.isEmpty { stack.removeAll { hidden.contains($0) } }
    return leaves.isMissing(withKernel: withKernel)
  }

  // MARK: Profiles

  /// One profile of the whole trace, each sample with its series' labels.
  package func profile() -> Profile {
    let labelsOf = programLabels()
    var assembly = ProfileAssembly(self, labelsSamples: true)
    assembly.addMainMapping(of: contents.groups.indices, of: self)
    for group in contents.groups.indices {
      guard let labels = labelsOf[contents.groups[group].process] else { continue }
      assembly.add(group, of: self) { _ in labels }
    }
    return assembly.finish()
  }

  /// The labels of every program that has samples, but for those that the newest labels leave out.
  private func programLabels() -> [UInt32: LabelSet] {
    labels(of: contents.groups.map(\.process))
  }

  /// The labels of programs that need not have samples, but for those that the newest labels leave out.
  package func labels(of processes: some Sequence<UInt32>) -> [UInt32: LabelSet] {
    let labeler = Labeler(contents)
    var labelsOf: [UInt32: LabelSet] = [:]
    for process in Set(processes) { labelsOf[process] = labeler.labels(of: contents.processes[process]) }
    return labelsOf
  }

  /// One profile a series, sorted by labels.
  package func profilesBySeries() -> [(labels: LabelSet, profile: Profile)] { profiles(labels: programLabels()) }

  /// One profile a series, sorted by labels.
  /// - Parameter labels: of each program by its handle; one that is not there is left out.
  package func profiles(
    labels labelsOf: [UInt32: LabelSet], marks: SampleMarks = SampleMarks()
  ) -> [(labels: LabelSet, profile: Profile)] {
    var groupsOf: [LabelSet: [Int]] = [:]
    for group in contents.groups.indices {
      guard let labels = labelsOf[contents.groups[group].process] else { continue }
      groupsOf[labels, default: []].append(group)
    }
    return groupsOf.keys.sorted().map { labels in
      var assembly = ProfileAssembly(self, labelsSamples: false, marks)
      assembly.addMainMapping(of: groupsOf[labels] ?? [], of: self)
      for group in groupsOf[labels] ?? [] { assembly.add(group, of: self) { _ in labels } }
      return (labels, assembly.finish())
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
    report.unwindBreaks = contents.unwindBreaks.map { place, count in
      ReplayReport.UnwindBreak(
        path: contents.images[place.image]?.path ?? "[unknown]",
        reason: UnwindResult(rawValue: place.reason)?.name ?? "result_\(place.reason)", wasGuessed: place.wasGuessed,
        samples: count)
    }
    report.unwindBreaks.sort {
      ($1.samples, $0.path, $0.reason, $0.wasGuessed ? 1 : 0) < ($0.samples, $1.path, $1.reason, $1.wasGuessed ? 1 : 0)
    }
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
    for steps in imageSteps { images[steps.image]?.damage = steps.steps.filter(\.isDamage).map(\.description) }
    var runtimes = InterpreterTotals(contents)

    // Functions by string number; places without a name by what stands for them.
    var selfWeights: [String: UInt64] = [:]
    var totalWeights: [String: UInt64] = [:]
    var nameOf: [UInt32: [String]] = [:]
    var stack: [UInt32] = []
    for group in contents.groups.indices {
      let weight = contents.weights[group]
      // Its samples have another stack now.
      guard weight > 0 else { continue }
      report.weight &+= weight
      stack.removeAll(keepingCapacity: true)
      if appendStack(group, to: &stack) { report.missingStacks += 1 }
      var seen: Set<String> = []
      var unnamed: Set<UInt32> = []
      if let reason = locations.interpreterFailure(stackEndingAt: leaves[group].user) { runtimes.note(failure: reason, weight) }
      var isFirst = true
      for number in stack {
        let location = locations.locations[Int(number)]
        if isFirst { images[location.image]?.selfWeight &+= weight }
        if location.interpreter != nil { runtimes.note(location, weight) }
        if !answers[Int(number)], unnamed.insert(location.image).inserted { images[location.image]?.unnamedWeight &+= weight }
        let list: [String]
        if let known = nameOf[number] {
          list = known
        } else if case .frames(let frames) = names.answer(for: location) {
          list = frames.map { shownNames.text($0.function, of: names) }
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
    (report.interpreters, report.interpreterFailures) = runtimes.results
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
    if let interpreter = CodeLocation.interpreter(ofImage: handle) {
      return ReplayReport.Image(path: interpreter.imageName, buildID: "")
    }
    let image = contents.images[handle]
    return ReplayReport.Image(path: image?.path ?? "[unknown]", buildID: image?.buildID?.hex ?? "")
  }
}
