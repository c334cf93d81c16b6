/// How a pointer is written (`DW_EH_PE_…`; Linux Standard Base Core, section 10.5, "DWARF Exception Header Encoding").
struct PointerEncoding: Hashable, Sendable {
  let rawValue: UInt8
  static let absolute = Self(rawValue: 0)
  static let omitted = Self(rawValue: 0xff)

  /// What `datarel` counts from: the global offset table in `.eh_frame`, the section itself in `.eh_frame_hdr`.
  struct Bases: Sendable {
    /// The image address of the section's first byte.
    var section: UInt64
    var data: UInt64
  }

  /// The number in the reader, its base added; `nil` for forms no code address has (indirect, aligned, function-relative).
  /// - Parameter addressByteCount: of an `absptr`.
  @inline(__always) func pointer(_ reader: inout FrameReader, _ bases: Bases, addressByteCount: Int) -> UInt64? {
    let here = UInt64(truncatingIfNeeded: reader.position)
    if rawValue == 0x1b {  // pcrel sdata4: nearly all of them
      let distance = Int64(reader.read(Int32.self))
      return bases.section &+ here &+ UInt64(bitPattern: distance)
    }
    guard let value = number(&reader, addressByteCount: addressByteCount) else { return nil }
    switch rawValue & 0xf0 {
    case 0x00: return value
    case 0x10: return bases.section &+ here &+ value
    case 0x20: return value  // textrel: counts from 0 on these architectures
    case 0x30: return bases.data &+ value
    default: return nil
    }
  }

  /// The number alone, as the length of a function is written; `nil` for an unknown format.
  @inline(__always) func number(_ reader: inout FrameReader, addressByteCount: Int) -> UInt64? {
    switch rawValue & 0x0f {
    case 0x0b: return UInt64(bitPattern: Int64(reader.read(Int32.self)))
    case 0x03: return UInt64(reader.read(UInt32.self))
    case 0x00: return addressByteCount == 4 ? UInt64(reader.read(UInt32.self)) : reader.read(UInt64.self)
    case 0x04, 0x0c: return reader.read(UInt64.self)
    case 0x02: return UInt64(reader.read(UInt16.self))
    case 0x0a: return UInt64(bitPattern: Int64(reader.read(Int16.self)))
    case 0x01: return reader.uleb128()
    case 0x09: return UInt64(bitPattern: reader.sleb128())
    default: return nil
    }
  }
}
