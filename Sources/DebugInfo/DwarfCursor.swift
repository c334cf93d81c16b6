import Base

/// Reads DWARF front to back from borrowed bytes, within `position..<end`.
///
/// A read that does not fit gives 0, moves to the end and sets `hasFailed`, so a loop over the bytes ends by itself and the
/// one who started it looks at `hasFailed` once. That keeps the loops over hundreds of millions of entries free of error paths.
struct DwarfCursor: ~Escapable {
  private let bytes: RawSpan
  private(set) var position: Int
  /// Never past the end of the bytes.
  let end: Int
  private(set) var hasFailed: Bool

  /// - Parameter range: cut to what there is.
  @_lifetime(copy bytes)
  init(_ bytes: RawSpan, from start: Int = 0, to end: Int = .max) {
    self.bytes = bytes
    self.end = max(0, min(end, bytes.byteCount))
    hasFailed = start < 0 || start > self.end
    position = hasFailed ? self.end : start
  }

  @inline(__always) var isAtEnd: Bool { position >= end }
  @inline(__always) var remaining: Int { end &- position }

  @inline(never) mutating func fail() {
    position = end
    hasFailed = true
  }

  @inline(__always) private mutating func load<Value: FixedWidthInteger & BitwiseCopyable>(_: Value.Type) -> Value {
    let size = MemoryLayout<Value>.size
    guard end &- position >= size else {
      fail()
      return 0
    }
    // Safe: `position + size` is at most `end`, which is within `bytes`.
    let value = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: position, as: Value.self)
    position &+= size
    return Value(littleEndian: value)
  }

  @inline(__always) mutating func u8() -> UInt8 { load(UInt8.self) }
  @inline(__always) mutating func u16() -> UInt16 { load(UInt16.self) }
  @inline(__always) mutating func u32() -> UInt32 { load(UInt32.self) }
  @inline(__always) mutating func u64() -> UInt64 { load(UInt64.self) }
  mutating func u24() -> UInt32 { UInt32(u16()) | UInt32(u8()) &<< 16 }

  /// A number of 1, 2, 4 or 8 bytes; of any other size fails.
  @inline(__always) mutating func number(size: Int) -> UInt64 {
    switch size {
    case 4: return UInt64(u32())
    case 8: return u64()
    case 2: return UInt64(u16())
    case 1: return UInt64(u8())
    default:
      fail()
      return 0
    }
  }

  /// An unsigned LEB128; bits above 64 are ignored.
  @inline(__always) mutating func uleb() -> UInt64 {
    let first = u8()
    return first < 0x80 ? UInt64(first) : ulebRest(UInt64(first & 0x7f))
  }

  private mutating func ulebRest(_ start: UInt64) -> UInt64 {
    var value = start
    var shift: UInt64 = 7
    while position < end {
      let byte = u8()
      if shift < 64 { value |= UInt64(byte & 0x7f) &<< shift }
      if byte < 0x80 { return value }
      shift &+= 7
    }
    fail()
    return 0
  }

  /// A signed LEB128; bits above 64 are ignored.
  @inline(__always) mutating func sleb() -> Int64 {
    let first = u8()
    return first < 0x80 ? Int64(Int8(truncatingIfNeeded: first &<< 1) &>> 1) : slebRest(UInt64(first & 0x7f))
  }

  private mutating func slebRest(_ start: UInt64) -> Int64 {
    var value = start
    var shift: UInt64 = 7
    while position < end {
      let byte = u8()
      if shift < 64 { value |= UInt64(byte & 0x7f) &<< shift }
      shift &+= 7
      if byte < 0x80 {
        if shift < 64, byte & 0x40 != 0 { value |= ~UInt64(0) &<< shift }
        return Int64(bitPattern: value)
      }
    }
    fail()
    return 0
  }

  @inline(__always) mutating func skip(_ count: Int) {
    guard count >= 0, count <= end &- position else { return fail() }
    position &+= count
  }

  @inline(__always) mutating func skip(_ count: UInt64) {
    guard count <= UInt64(end &- position) else { return fail() }
    position &+= Int(count)
  }

  /// Goes past the next NUL.
  mutating func skipString() {
    while position < end {
      // Safe: `position` is below `end`, which is within `bytes`.
      let byte = unsafe bytes.unsafeLoad(fromByteOffset: position, as: UInt8.self)
      position &+= 1
      if byte == 0 { return }
    }
    fail()
  }

  /// Goes on at `place`, which may lie anywhere in the bytes; outside of them fails.
  @inline(__always) mutating func seek(to place: Int) {
    guard place >= 0, place <= end else { return fail() }
    position = place
  }
}

extension RawSpan {
  /// What of the range there is.
  @_lifetime(copy self)
  func slice(_ start: UInt64, _ count: UInt64) -> RawSpan {
    guard start < UInt64(byteCount) else { return extracting(0..<0) }
    let first = Int(start)
    return extracting(first..<(first + Int(min(count, UInt64(byteCount - first)))))
  }
}
