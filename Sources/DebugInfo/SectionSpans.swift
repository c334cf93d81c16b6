import Base

/// The bytes of the sections one unit reads from, empty where there are none.
///
/// Of a split unit these are of two files: its entries are in the split file, its addresses and lines in the main one.
struct SectionSpans: ~Escapable {
  var info: RawSpan
  var abbreviations: RawSpan
  var line: RawSpan
  var lineStrings: RawSpan
  var strings: RawSpan
  var stringOffsets: RawSpan
  var addresses: RawSpan
  /// `.debug_ranges`, of versions 2 to 4.
  var ranges: RawSpan
  var rangeLists: RawSpan
  var addressRanges: RawSpan
  /// `.debug_cu_index` of a package.
  var unitIndex: RawSpan
  /// `.debug_str` of the alternate file.
  var alternateStrings: RawSpan

  /// - Parameter nothing: any bytes; none of them is used.
  @_lifetime(copy nothing)
  init(empty nothing: RawSpan) {
    let none = nothing.extracting(0..<0)
    info = none
    abbreviations = none
    line = none
    lineStrings = none
    strings = none
    stringOffsets = none
    addresses = none
    ranges = none
    rangeLists = none
    addressRanges = none
    unitIndex = none
    alternateStrings = none
  }
}
