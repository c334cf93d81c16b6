@testable import DebugInfo
import Base

/// Bytes of DWARF, written field by field.
struct DwarfBytes {
  var bytes: [UInt8] = []

  mutating func u8(_ values: UInt8...) { bytes += values }
  mutating func u16(_ value: UInt16) { for shift in [0, 8] { bytes.append(UInt8(truncatingIfNeeded: value >> shift)) } }
  mutating func u32(_ value: UInt32) { for shift in [0, 8, 16, 24] { bytes.append(UInt8(truncatingIfNeeded: value >> shift)) } }
  mutating func u64(_ value: UInt64) {
    u32(UInt32(truncatingIfNeeded: value))
    u32(UInt32(truncatingIfNeeded: value >> 32))
  }
  mutating func text(_ text: String) { bytes += Array(text.utf8) + [0] }

  /// A unit or table with its length in front.
  static func withLength(_ body: (inout DwarfBytes) -> Void) -> [UInt8] {
    var inner = DwarfBytes()
    body(&inner)
    var outer = DwarfBytes()
    outer.u32(UInt32(inner.bytes.count))
    return outer.bytes + inner.bytes
  }
}

/// Sections in memory, read as one file's.
struct SectionSet {
  var info: [UInt8] = []
  var abbreviations: [UInt8] = []
  var line: [UInt8] = []
  var ranges: [UInt8] = []
  var rangeLists: [UInt8] = []

  /// The frames of ascending addresses in the unit at `index`, as text.
  func frames(unit index: Int = 0, _ targets: [UInt64]) -> [[DebugFrame]] {
    let headers = UnitHeader.all(info.borrowedBytes)
    guard headers.indices.contains(index) else { return [] }
    var spans = SectionSpans(empty: info.borrowedBytes)
    spans.info = info.borrowedBytes
    spans.abbreviations = abbreviations.borrowedBytes
    spans.line = line.borrowedBytes
    spans.ranges = ranges.borrowedBytes
    spans.rangeLists = rangeLists.borrowedBytes
    var reader = UnitReader(spans, headers, alternate: spans, [], WorkBudget())
    let found = reader.frames(unit: index, targets: targets)
    return targets.indices.map { found.frames(of: $0) }
  }
}
