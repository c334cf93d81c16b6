package import Base

/// The DWARF of one file, versions 2 to 5, asked for the functions and lines at addresses.
///
/// Made once for a file; calls may run at the same time. Keeps where units are and which code they hold; what a unit holds is
/// read when an address lies in it, and given back at the end of the call.
package final class DebugFile: Sendable {
  let sections: DebugSections
  let headers: [UnitHeader]
  /// From `.debug_aranges`, and from the units themselves where those have none.
  let map: AddressMap
  package let alternate: DebugFile?
  private let split: SplitSource
  private let unlisted: UnlistedCode

  /// - Parameters:
  ///   - file: an ELF file: a program with its debug information in it, or a separate debug file.
  ///   - alternate: the file that `.gnu_debugaltlink` names.
  ///   - package: the `.dwp` file that holds its split units.
  ///   - workers: threads to use at most.
  ///   - openSplit: opens the file of a split unit that is in no package; `nil` when there is none. Called from any thread.
  /// - Throws: `MalformedInput` when its headers or a section of DWARF cannot be read. Damage further in costs what it hits.
  package init(
    _ file: any SharedBytes, alternate: DebugFile? = nil, package: (any SharedBytes)? = nil, workers: Int = 1,
    openSplit: @escaping @Sendable (SplitRequest) -> (any SharedBytes)? = { _ in nil }
  ) throws(MalformedInput) {
    let sections = try DebugSections(file, workers: workers)
    self.sections = sections
    self.alternate = alternate
    var packageSections: DebugSections?
    if let package { packageSections = try DebugSections(package, isSplit: true, workers: workers) }
    split = SplitSource(package: packageSections, open: openSplit)
    let spans = sections.spans
    let headers = UnitHeader.all(spans.info)
    self.headers = headers
    let (entries, isCovered) = AddressRangeTable.read(spans.addressRanges, headers)
    map = AddressMap(entries + UnitRanges.read(sections, headers, workers: workers, isWanted: { !isCovered[$0] }))
    unlisted = UnlistedCode(sections, headers, hasTable: isCovered.contains(true))
  }

  /// The file has units to be asked.
  package var hasUnits: Bool { !headers.isEmpty }

  /// The frames at `addresses` (ascending, addresses as the image states them), in the same order.
  ///
  /// What comes out does not depend on `workers`.
  package func frames(at addresses: [UInt64], workers: Int = 1) -> DebugFrames {
    var places = [DebugFrames.Place](repeating: DebugFrames.Place(unit: -1, target: -1), count: addresses.count)
    var from = 0
    var jobOf: [Int32: Int32] = [:]
    // The addresses of each unit, ascending as they come.
    var jobs: [(unit: Int32, targets: [UInt64])] = []
    for (index, address) in addresses.enumerated() {
      guard let unit = map.unit(at: address, from: &from) ?? unlisted.unit(at: address, workers: workers) else { continue }
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
      // Without an alternate file nothing is found in it: it has no units.
      let alternateSections = self.alternate?.sections ?? sections
      var spans = sections.spans
      if self.alternate != nil { spans.alternateStrings = alternateSections.spans.strings }
      var reader = UnitReader(
        spans, self.headers, alternate: alternateSections.spans, self.alternate?.headers ?? [])
      let unit = reader.load(.main, Int(job.unit)).unit
      return self.splitFrames(unit, spans, job.targets) ?? reader.frames(unit: Int(job.unit), targets: job.targets)
    }
    var units = [UnitFrames](repeating: UnitFrames(), count: jobs.count)
    for (number, index) in order.enumerated() { units[index] = inOrder[number] }
    return DebugFrames(units: units, places: places)
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
