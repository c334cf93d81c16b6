import Base
import ObjectFile

/// Inflates `.debug_info` step by step and says which units of what became whole hold addresses that are asked for.
///
/// `@unchecked Sendable`: one thread at a time calls `advance`, which `UnitStream` sees to; `memory` is read where it is filled.
final class UnitSource: @unchecked Sendable {
  /// A unit to be read.
  struct Job: Sendable {
    /// Its number in the file.
    var unit: Int32
    var header: UnitHeader
    /// Numbers of the addresses, ascending.
    var targets: [Int32]
  }
  enum Outcome {
    case units([Job], isLast: Bool)
    /// A limit was met that a file read as a whole does not have.
    case needsWhole
    case damaged
  }

  let memory: SlidingMemory
  /// The code of all units so far, as they state it.
  private(set) var entries: [AddressMap.Entry] = []
  /// The same as `.debug_aranges` has it: for code that no unit states.
  private(set) var hints: [AddressMap.Entry] = []

  private let sections: DebugSections
  private let packed: PackedInfo
  private let addresses: [UInt64]
  private let inflater: SectionInflater
  private let ranges: AddressRangeTable
  private let sets: [Int: [Int]]
  /// Bytes inflated.
  private(set) var produced = 0
  private var released = 0
  /// Where the next unit starts.
  private var next = 0
  /// The unit there, once its header was read.
  private var current: UnitHeader?
  private var unitCount: Int32 = 0
  /// The table of abbreviations that was read last; units that follow one another often share it.
  private var table: (offset: UInt64, format: UnitFormat, table: AbbreviationTable)?
  /// Attributes that tables may still have: a file that has its tables read again and again is better read as a whole.
  private var specsLeft: Int
  private let budget: WorkBudget
  /// Addresses that may still be taken: units of a sane file hardly overlap.
  private var targetsLeft: Int

  /// Bytes inflated at a time.
  private static let stepByteCount = 1 << 20
  /// The longest header of a unit.
  private static let headerByteCount = 48

  init?(_ sections: DebugSections, _ packed: PackedInfo, _ addresses: [UInt64], _ budget: WorkBudget) {
    guard addresses.count < Int(Int32.max), let memory = try? SlidingMemory(byteCount: packed.byteCount),
      let contents = try? packed.contents, let inflater = SectionInflater(contents)
    else { return nil }
    self.memory = memory
    self.inflater = inflater
    self.sections = sections
    self.packed = packed
    self.addresses = addresses
    self.budget = budget
    ranges = AddressRangeTable(sections.spans.addressRanges)
    sets = ranges.setsByUnit
    targetsLeft = 1 << 16 + 4 * addresses.count
    specsLeft = 1 << 20 + 4 * sections.spans.abbreviations.byteCount
  }

  /// The first byte that units to come need.
  var neededFrom: Int { min(next, produced) }

  /// Gives back what lies before `place` and before the units to come.
  func release(upTo place: Int) {
    let end = min(place, neededFrom)
    guard end - released >= Self.stepByteCount else { return }
    memory.release(released..<end)
    // The page at the end was kept.
    released = max(released, end - 1 << 16)
  }

  /// Inflates a step more.
  func advance() -> Outcome {
    let end = min(produced + Self.stepByteCount, packed.byteCount)
    let packed = packed
    do throws(MalformedInput) {
      let contents = try packed.contents
      // Safe: nobody reads behind `produced` yet, and the buffer is used only inside the closure.
      unsafe try memory.fill(produced..<end) { (buffer) throws(MalformedInput) in
        unsafe try inflater.next(contents, into: buffer)
      }
    } catch {
      return .damaged
    }
    produced = end
    let memory = memory
    var jobs: [Job] = []
    while next < packed.byteCount {
      if current == nil {
        guard produced >= min(next + Self.headerByteCount, packed.byteCount) else { break }
        let (header, following) = UnitHeader.read(memory.bytes, at: next)
        guard let following, following > next else {
          // As in a list of all units: what cannot be read ends it.
          next = packed.byteCount
          break
        }
        guard let header else {
          next = following
          continue
        }
        current = header
      }
      guard let header = current, produced >= header.end else { break }
      guard let targets = targets(of: header) else { return .needsWhole }
      if !targets.isEmpty { jobs.append(Job(unit: unitCount, header: header, targets: targets)) }
      unitCount += 1
      next = header.end
      current = nil
    }
    // The rest of a stream is inflated all the same: one that is damaged behind the last unit is not believed either.
    return .units(jobs, isLast: produced == packed.byteCount)
  }

  /// The addresses that lie in the unit's code; `nil` when a limit is met.
  private func targets(of header: UnitHeader) -> [Int32]? {
    let (sections, memory) = (sections, memory)
    var code: [CodeRange] = []
    if header.kind == .compile || header.kind == .skeleton {
      guard let table = abbreviations(of: header) else { return nil }
      var spans = sections.spans
      spans.info = memory.bytes.extracting(0..<header.end)
      code = UnitRanges.ranges(Unit(header, table, spans), table, spans, budget)
      guard entries.count + code.count <= UnitRanges.maximumCount(sections), !budget.isSpent else { return nil }
    }
    for range in code { entries.append(AddressMap.Entry(start: range.start, end: range.end, unit: unitCount)) }
    for set in sets[header.start] ?? [] {
      let listed = ranges.ranges[ranges.sets[set].ranges]
      for range in listed { hints.append(AddressMap.Entry(start: range.start, end: range.end, unit: unitCount)) }
      code += listed
    }
    // Ranges may overlap: each address is taken once.
    code.sort { $0.start < $1.start }
    var targets: [Int32] = []
    var index = 0
    for range in code {
      index = max(index, lowerBound(range.start))
      while index < addresses.count, addresses[index] < range.end {
        targets.append(Int32(index))
        index += 1
      }
    }
    targetsLeft -= targets.count
    return targetsLeft >= 0 ? targets : nil
  }

  private func abbreviations(of header: UnitHeader) -> AbbreviationTable? {
    if let table, table.offset == header.abbreviationsOffset, table.format == header.format { return table.table }
    let sections = sections
    let made = AbbreviationTable(sections.spans.abbreviations, at: header.abbreviationsOffset, header.format)
    specsLeft -= made.specs.count + made.entries.count
    guard specsLeft > 0 else { return nil }
    table = (header.abbreviationsOffset, header.format, made)
    return made
  }

  private func lowerBound(_ address: UInt64) -> Int {
    var low = 0
    var high = addresses.count
    while low < high {
      let middle = (low + high) / 2
      if addresses[middle] < address { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
