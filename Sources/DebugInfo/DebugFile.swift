package import Base
package import ObjectFile

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
  /// By unit: `.debug_aranges` says which code it has, which is to be held against what it says itself.
  let isListed: [Bool]
  package let alternate: DebugFile?
  let split: SplitSource
  let unlisted: UnlistedCode
  let file: any SharedBytes

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

  init(
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
      isListed = []
      unlisted = UnlistedCode(sections, headers, hasTable: false)
      return
    }
    let (entries, isListed) = AddressRangeTable(spans.addressRanges).entries(of: headers)
    let budget = WorkBudget(byteCount: sections.byteCount)
    let others = UnitRanges.read(sections, headers, workers: workers, budget, isWanted: { !isListed[$0] })
    guard !budget.isSpent else { throw WorkBudget.problem }
    map = AddressMap(entries + others)
    self.isListed = isListed
    unlisted = UnlistedCode(sections, headers, hasTable: isListed.contains(true))
  }

  /// Bytes that are held in memory, beside the file's own.
  package var keptByteCount: Int {
    sections.ownedByteCount + headers.count * (MemoryLayout<UnitHeader>.stride + 1) + map.byteCount + unlisted.byteCount
  }

  /// What the compressed sections of DWARF come to; `Int.max` when that cannot be told.
  package static func inflatedByteCount(of file: borrowing ElfFile) -> Int { DebugSections.inflatedByteCount(of: file) }

  /// For a call that asks for so many addresses.
  func budget(addressCount: Int) -> WorkBudget {
    let others = (alternate?.sections.byteCount ?? 0) + (split.package?.byteCount ?? 0)
    return WorkBudget(byteCount: sections.byteCount + others, addressCount: addressCount)
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

  /// The frames from the split unit of a skeleton; `nil` when the unit is no skeleton or its other half is not to be had.
  func splitFrames(_ unit: Unit, _ spans: SectionSpans, _ targets: [UInt64], _ budget: WorkBudget) -> UnitFrames? {
    guard unit.splitName.isPresent, !budget.isSpent else { return nil }
    let request = SplitRequest(
      name: unit.text(unit.splitName, spans).text(), directory: unit.text(unit.compilationDirectory, spans).text(),
      id: unit.splitID)
    guard let (sections, isPackage) = split.sections(request, budget) else { return nil }
    let splitSpans = SectionSpans(split: sections.spans, main: spans, isPackage: isPackage, id: unit.splitID)
    let headers = UnitHeader.all(splitSpans.info)
    budget.spend(16 * headers.count)
    var reader = UnitReader(split: splitSpans, headers, skeleton: unit, main: spans, budget)
    for index in headers.indices where headers[index].kind == .splitCompile || headers[index].kind == .compile {
      if budget.isSpent { return nil }
      if reader.load(.main, index).unit.splitID == unit.splitID { return reader.frames(unit: index, targets: targets) }
    }
    return nil
  }
}
