/// The bytes of one section for the call-frame reader: every read is checked, many threads may read at once.
///
/// `@unchecked Sendable`: the bytes are only read, and whoever makes one outlives all uses of it.
@safe struct FrameBytes: @unchecked Sendable {
  private let start: UnsafeRawPointer?
  let count: Int

  /// - Parameter bytes: must stay valid for as long as this value and its copies are used.
  @unsafe init(_ bytes: UnsafeRawBufferPointer) {
    unsafe start = bytes.baseAddress
    count = bytes.count
  }

  /// A part of the bytes, as far as there are any.
  func slice(from: Int, byteCount: Int) -> FrameBytes {
    let from = min(max(from, 0), count)
    // Safe: the part lies within the bytes by the line above and the one below.
    return unsafe FrameBytes(
      UnsafeRawBufferPointer(start: start.map { unsafe $0 + from }, count: min(max(byteCount, 0), count - from)))
  }

  /// The integer at `offset`; 0 when it does not lie within the bytes.
  @inline(__always) func load<Value: FixedWidthInteger & BitwiseCopyable>(_ offset: Int, as type: Value.Type) -> Value {
    guard offset >= 0, offset <= count &- MemoryLayout<Value>.size, let start = unsafe start else { return 0 }
    // Safe: within bounds by the guard above.
    return Value(littleEndian: unsafe start.loadUnaligned(fromByteOffset: offset, as: Value.self))
  }

  /// The integer at `offset`, which must lie within the bytes with all of it.
  @inline(__always) fileprivate func loadInside<Value: FixedWidthInteger & BitwiseCopyable>(
    _ offset: Int, as type: Value.Type
  ) -> Value {
    // Safe: the caller has checked, and where there are bytes there is a start.
    Value(littleEndian: unsafe start.unsafelyUnwrapped.loadUnaligned(fromByteOffset: offset, as: Value.self))
  }

  @inline(__always) func reader(from: Int, to end: Int) -> FrameReader {
    FrameReader(bytes: self, position: max(from, 0), end: min(end, count))
  }
}

/// Reads front to back; a read past the end gives 0, moves to the end and is remembered in `overran`.
///
/// Nothing here throws: an entry that lies about its length is given up as a whole, and this is the innermost loop.
struct FrameReader {
  let bytes: FrameBytes
  private(set) var position: Int
  let end: Int
  private(set) var overran = false

  /// - Parameters:
  ///   - position: not negative.
  ///   - end: not past the bytes' own.
  @inline(__always) fileprivate init(bytes: FrameBytes, position: Int, end: Int) {
    self.bytes = bytes
    self.position = position
    self.end = end
  }

  @inline(__always) var isAtEnd: Bool { position >= end }

  @inline(__always) private mutating func stop() {
    position = end
    overran = true
  }

  @inline(__always) mutating func read<Value: FixedWidthInteger & BitwiseCopyable>(_ type: Value.Type) -> Value {
    guard position <= end &- MemoryLayout<Value>.size else {
      stop()
      return 0
    }
    // Within the bytes by the guard above, because `end` is.
    let value = bytes.loadInside(position, as: Value.self)
    position &+= MemoryLayout<Value>.size
    return value
  }

  @inline(__always) mutating func byte() -> UInt8 { read(UInt8.self) }

  @inline(__always) mutating func skip(_ count: UInt64) {
    guard count <= UInt64(max(end &- position, 0)) else { return stop() }
    position &+= Int(count)
  }

  /// An unsigned LEB128 (DWARF 5, section 7.6); bits above 64 are ignored.
  @inline(__always) mutating func uleb128() -> UInt64 {
    let first = byte()
    return first < 0x80 ? UInt64(first) : longULEB128(first)
  }

  private mutating func longULEB128(_ first: UInt8) -> UInt64 {
    var value = UInt64(first & 0x7f)
    var shift: UInt64 = 7
    while position < end {
      let next = byte()
      if shift < 64 { value |= UInt64(next & 0x7f) &<< shift }
      if next < 0x80 { return value }
      shift &+= 7
    }
    stop()
    return 0
  }

  /// A signed LEB128 (DWARF 5, section 7.6); bits above 64 are ignored.
  @inline(__always) mutating func sleb128() -> Int64 {
    let first = byte()
    return first < 0x80 ? Int64(Int8(bitPattern: first &<< 1) >> 1) : longSLEB128(first)
  }

  private mutating func longSLEB128(_ first: UInt8) -> Int64 {
    var value = UInt64(first & 0x7f)
    var shift: UInt64 = 7
    while position < end {
      let next = byte()
      if shift < 64 { value |= UInt64(next & 0x7f) &<< shift }
      shift &+= 7
      if next < 0x80 {
        if shift < 64, next & 0x40 != 0 { value |= ~0 &<< shift }
        return Int64(bitPattern: value)
      }
    }
    stop()
    return 0
  }
}
