package import Base

/// The DWARF of one file, versions 2 to 5, asked for the functions and lines at addresses.
///
/// Made once for a file; calls may run at the same time. Keeps where units are and which code they hold; what a unit holds is
/// read when an address lies in it, and given back at the end of the call. Of a large compressed file not even that: its units
/// are read as they are inflated, in every call.
package final class DebugFile: Sendable {
  let sections: DebugSections
  /// None of a file whose units are read as they are inflated.
  let headers: [UnitHeader]
  /// From `.debug_aranges`, and from the units themselves where those have none.
  let map: AddressMap
  package let alternate: DebugFile?
  private let split: SplitSource
  private let file: any SharedBytes

  /// Compressed units of as many bytes together are not kept.
  package static let streamedByteCount = 16 << 20

  /// - Parameters:
  ///   - file: an ELF file: a program with its debug information in it, or a separate debug file.
  ///   - alternate: the file that `.gnu_debugaltlink` names, made with `streamsFrom` at its highest: its entries are asked for
  ///     by their places.
  ///   - package: the `.dwp` file that holds its split units.
  ///   - workers: threads to use at most.
  ///   - streamsFrom: bytes of compressed units from which on they are not kept.
  ///   - openSplit: opens the file of a split unit that is in no package; `nil` when there is none. Called from any thread.
  /// - Throws: `MalformedInput` when its headers or a section of DWARF cannot be read. Damage further in costs what it hits.
  package convenience init(
    _ file: any SharedBytes, alternate: DebugFile? = nil, package: (any SharedBytes)? = nil, workers: Int = 1,
    streamsFrom: Int = streamedByteCount, openSplit: @escaping @Sendable (SplitRequest) -> (any SharedBytes)? = { _ in nil }
  ) throws(MalformedInput) {
    var packageSections: DebugSections?
    if let package { packageSections = try DebugSections(package, isSplit: true, workers: workers) }
    try self.init(
      file, alternate, SplitSource(package: packageSections, open: openSplit), workers: workers, streamsFrom: streamsFrom)
  }

  private init(
    _ file: any SharedBytes, _ alternate: DebugFile?, _ split: SplitSource, workers: Int, streamsFrom: Int
  ) throws(MalformedInput) {
    let sections = try DebugSections(file, workers: workers, packedFrom: streamsFrom)
    self.file = file
    self.sections = sections
    self.alternate = alternate
    self.split = split
    let spans = sections.spans
    let headers = UnitHeader.all(spans.info)
    self.headers = headers
    guard sections.packedInfo == nil else {
      map = AddressMap()
      return
    }
    let (entries, isCovered) = AddressRangeTable(spans.addressRanges).entries(of: headers)
    map = AddressMap(entries + UnitRanges.read(sections, headers, workers: workers, isWanted: { !isCovered[$0] }))
  }

  /// The file has units to be asked.
  package var hasUnits: Bool { !headers.isEmpty || sections.packedInfo != nil }

  /// The frames at `addresses` (ascending, addresses as the image states them), in the same order.
  ///
  /// What comes out does not depend on `workers`.
  package func frames(at addresses: [UInt64], workers: Int = 1) -> DebugFrames {
    find(addresses, workers, nil).frames
  }

  /// As `frames`, and what may be kept, so that another call for addresses in the same functions need not ask this file.
  package func preparedFrames(at addresses: [UInt64], workers: Int = 1) -> (frames: DebugFrames, batch: PreparedBatch?) {
    // Of the other file nobody knows whether it will be the same again.
    let found = find(addresses, workers, alternate == nil ? PreparationBudget() : nil)
    return (found.frames, found.batch)
  }

  private func find(_ addresses: [UInt64], _ workers: Int, _ budget: PreparationBudget?) -> Found {
    if let packed = sections.packedInfo {
      if let found = UnitStream(self, packed, addresses, budget).find(workers: workers) { return found }
      // Units that refer to one another have to be there together.
      let whole = try? DebugFile(file, alternate, split, workers: workers, streamsFrom: .max)
      return whole?.find(addresses, workers, budget) ?? Found(frames: DebugFrames(noneFor: addresses.count))
    }
    var places = [DebugFrames.Place](repeating: .none, count: addresses.count)
    var from = 0
    var jobOf: [Int32: Int32] = [:]
    // The addresses of each unit, ascending as they come.
    var jobs: [(unit: Int32, targets: [UInt64])] = []
    for (index, address) in addresses.enumerated() {
      guard let unit = map.unit(at: address, from: &from) else { continue }
      let job: Int32
      if let known = jobOf[unit] {
        job = known
      } else {
        job = Int32(jobs.count)
        jobOf[unit] = job
        jobs.append((unit, []))
      }
      places[index] = DebugFrames.Place(unit: job, target: Int32(jobs[Int(job)].targets.count))
      jobs[Int(job)].targets.append(address)
    }
    // The largest first, so that none of them is left for one thread at the end.
    let order = jobs.indices.sorted {
      let (a, b) = (headers[Int(jobs[$0].unit)], headers[Int(jobs[$1].unit)])
      return (b.end - b.start, $0) < (a.end - a.start, $1)
    }
    let all = jobs
    let inOrder = parallelMap(count: order.count, workers: workers) { number in
      let job = all[order[number]]
      let sections = self.sections
      return self.read(Int(job.unit), of: self.headers, sections.spans, job.targets, budget)
    }
    var units = [UnitFrames](repeating: UnitFrames(), count: jobs.count)
    var prepared: [(unit: Int32, prepared: PreparedUnit)] = []
    for (number, index) in order.enumerated() {
      units[index] = inOrder[number].frames
      if let unit = inOrder[number].prepared { prepared.append((jobs[index].unit, unit)) }
    }
    return Found(addresses, DebugFrames(units: units, places: places), prepared, map, isPreparing: budget != nil)
  }

  /// What was found in one call.
  struct Found {
    var frames: DebugFrames
    var batch: PreparedBatch?

    init(frames: DebugFrames) { self.frames = frames }

    init(
      _ addresses: [UInt64], _ frames: DebugFrames, _ prepared: [(unit: Int32, prepared: PreparedUnit)], _ map: AddressMap,
      isPreparing: Bool
    ) {
      self.frames = frames
      guard isPreparing else { return }
      let nowhere = addresses.indices.filter { frames.places[$0].unit < 0 }.map { addresses[$0] }
      batch = PreparedBatch(prepared.sorted { $0.unit < $1.unit }, map, nowhere: nowhere)
    }
  }

  /// What one unit says of addresses that lie in it.
  struct UnitAnswer: Sendable {
    var frames: UnitFrames
    var prepared: PreparedUnit?
    /// It refers to a unit that is not in the list.
    var lacksUnits = false
  }

  /// - Parameters:
  ///   - index: of the unit in `headers`.
  ///   - spans: of this file.
  ///   - budget: with one, what may be kept is prepared.
  func read(
    _ index: Int, of headers: [UnitHeader], _ spans: SectionSpans, _ targets: [UInt64], _ budget: PreparationBudget?
  ) -> UnitAnswer {
    // Without an alternate file nothing is found in it: it has no units.
    let alternateSections = alternate?.sections ?? sections
    var spans = copy spans
    if alternate != nil { spans.alternateStrings = alternateSections.spans.strings }
    var reader = UnitReader(spans, headers, alternate: alternateSections.spans, alternate?.headers ?? [])
    let unit = reader.load(.main, index).unit
    if let frames = splitFrames(unit, spans, targets) { return UnitAnswer(frames: frames) }
    if let budget {
      let (frames, prepared) = reader.preparedFrames(unit: index, targets: targets, budget)
      return UnitAnswer(frames: frames, prepared: unit.splitName.isPresent ? nil : prepared, lacksUnits: reader.lacksUnits)
    }
    return UnitAnswer(frames: reader.frames(unit: index, targets: targets), lacksUnits: reader.lacksUnits)
  }

  /// The frames from the split unit of a skeleton; `nil` when the unit is no skeleton or its other half is not to be had.
  private func splitFrames(_ unit: Unit, _ spans: SectionSpans, _ targets: [UInt64]) -> UnitFrames? {
    guard unit.splitName.isPresent else { return nil }
    let request = SplitRequest(
      name: unit.text(unit.splitName, spans).text(), directory: unit.text(unit.compilationDirectory, spans).text(),
      id: unit.splitID)
    guard let (sections, isPackage) = split.sections(request) else { return nil }
    let splitSpans = SectionSpans(split: sections.spans, main: spans, isPackage: isPackage, id: unit.splitID)
    let headers = UnitHeader.all(splitSpans.info)
    var reader = UnitReader(split: splitSpans, headers, skeleton: unit, main: spans)
    for index in headers.indices where headers[index].kind == .splitCompile || headers[index].kind == .compile {
      if reader.load(.main, index).unit.splitID == unit.splitID { return reader.frames(unit: index, targets: targets) }
    }
    return nil
  }
}
