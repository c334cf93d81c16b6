import Base

/// The header of a unit (DWARF 5, section 7.5.1).
struct UnitHeader: Sendable {
  enum Kind: UInt8, Sendable {
    case compile = 1
    case type = 2
    case partial = 3
    case skeleton = 4
    case splitCompile = 5
    case splitType = 6
  }
  /// Bytes into `.debug_info` of the header, of the first entry, and of what follows the unit.
  var start: Int
  var firstEntry: Int
  var end: Int
  var format: UnitFormat
  var kind: Kind
  var abbreviationsOffset: UInt64
  /// What ties a skeleton to its split unit, of version 5; 0 when the header has none.
  var splitID: UInt64

  /// Reads the header at `start`; `nil` when no unit of a known version stands there. `next` is where the following one starts,
  /// or `nil` when that cannot be told.
  static func read(_ info: RawSpan, at start: Int) -> (header: UnitHeader?, next: Int?) {
    var cursor = DwarfCursor(info, from: start)
    var length = UInt64(cursor.u32())
    var offsetSize: UInt8 = 4
    if length == 0xffff_ffff {
      length = cursor.u64()
      offsetSize = 8
    } else if length >= 0xffff_fff0 {
      return (nil, nil)
    }
    let body = cursor.position
    // A unit that reaches past the end is read as far as it goes.
    guard !cursor.hasFailed, length >= 7 else { return (nil, nil) }
    let end = body + Int(min(length, UInt64(info.byteCount - body)))
    cursor = DwarfCursor(info, from: body, to: end)
    let version = cursor.u16()
    var kind = Kind.compile
    var addressSize: UInt8 = 0
    var abbreviations: UInt64 = 0
    var splitID: UInt64 = 0
    switch version {
    case 2, 3, 4:
      abbreviations = cursor.number(size: Int(offsetSize))
      addressSize = cursor.u8()
    case 5:
      let raw = cursor.u8()
      guard let known = Kind(rawValue: raw) else { return (nil, end) }
      kind = known
      addressSize = cursor.u8()
      abbreviations = cursor.number(size: Int(offsetSize))
      switch known {
      case .skeleton, .splitCompile: splitID = cursor.u64()
      case .type, .splitType: cursor.skip(8 + Int(offsetSize))
      case .compile, .partial: break
      }
    default:
      return (nil, end)
    }
    guard !cursor.hasFailed, addressSize == 8 || addressSize == 4 || addressSize == 2 else { return (nil, end) }
    return (
      UnitHeader(
        start: start, firstEntry: cursor.position, end: end,
        format: UnitFormat(version: version, addressSize: addressSize, offsetSize: offsetSize), kind: kind,
        abbreviationsOffset: abbreviations, splitID: splitID), end
    )
  }

  /// Every unit of the section, in its order; what cannot be read ends the list.
  static func all(_ info: RawSpan) -> [UnitHeader] {
    var headers: [UnitHeader] = []
    var start = 0
    while start < info.byteCount {
      let (header, next) = read(info, at: start)
      if let header { headers.append(header) }
      guard let next, next > start else { break }
      start = next
    }
    return headers
  }

  /// The index of the unit that holds the entry at `offset`.
  static func index(of offset: Int, in headers: [UnitHeader]) -> Int? {
    var low = 0
    var high = headers.count
    while low < high {
      let middle = (low + high) / 2
      if headers[middle].start <= offset { low = middle + 1 } else { high = middle }
    }
    guard low > 0, offset >= headers[low - 1].firstEntry, offset < headers[low - 1].end else { return nil }
    return low - 1
  }
}
