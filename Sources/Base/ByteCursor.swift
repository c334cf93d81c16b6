/// Reads little-endian fields front to back from borrowed bytes, copying none of them.
///
/// Every read is checked: a field that does not fit throws `MalformedInput` with its name and offset.
@frozen public struct ByteCursor: ~Escapable {
  @usableFromInline let bytes: RawSpan
  @usableFromInline var position = 0

  @_lifetime(copy bytes)
  @inlinable public init(_ bytes: RawSpan) {
    self.bytes = bytes
  }

  @inlinable public var remaining: Int { bytes.byteCount &- position }
  @inlinable public var isAtEnd: Bool { position == bytes.byteCount }
  /// Bytes already read.
  @inlinable public var offset: Int { position }

  /// The next integer, least significant byte first.
  /// - Throws: `MalformedInput` naming `field` and its offset when fewer bytes remain.
  @inlinable public mutating func read<Value: FixedWidthInteger & BitwiseCopyable>(
    _ field: StaticString, as type: Value.Type = Value.self
  ) throws(MalformedInput) -> Value {
    let size = MemoryLayout<Value>.size
    guard remaining >= size else { throw truncated(field, needed: size) }
    // Safe: `position + size` is within `bytes` by the guard above.
    let value = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: position, as: Value.self)
    position &+= size
    return Value(littleEndian: value)
  }

  /// The next `count` bytes as a view of the same memory.
  @_lifetime(copy self)
  @inlinable public mutating func take(_ count: Int, _ field: StaticString) throws(MalformedInput) -> RawSpan {
    guard count >= 0, count <= remaining else { throw truncated(field, needed: count) }
    defer { position &+= count }
    return bytes.extracting(position..<(position &+ count))
  }

  /// The next `count` bytes as a view, for counts that came from a file and may not fit an `Int`.
  @_lifetime(copy self)
  @inlinable public mutating func take(_ count: UInt64, _ field: StaticString) throws(MalformedInput) -> RawSpan {
    guard let small = Int(exactly: count) else { throw truncated(field, needed: Int.max) }
    return try take(small, field)
  }

  @inlinable public mutating func skip(_ count: Int, _ field: StaticString) throws(MalformedInput) {
    guard count >= 0, count <= remaining else { throw truncated(field, needed: count) }
    position &+= count
  }

  /// Goes on reading at `offset` bytes from the start.
  @inlinable public mutating func seek(to offset: UInt64, _ field: StaticString) throws(MalformedInput) {
    guard let small = Int(exactly: offset), small <= bytes.byteCount else {
      throw MalformedInput(
        field: field.description, offset: FileOffset(UInt64(position)),
        problem: .inconsistent("points to 0x\(String(offset, radix: 16)), past the end at 0x\(String(bytes.byteCount, radix: 16))"))
    }
    position = small
  }

  /// An unsigned LEB128 (DWARF 5, section 7.6) of at most 64 bits.
  @inlinable public mutating func uleb128(_ field: StaticString) throws(MalformedInput) -> UInt64 {
    var value: UInt64 = 0
    var shift: UInt64 = 0
    while position < bytes.byteCount {
      // Safe: `position` is within `bytes` by the loop's condition.
      let byte = unsafe bytes.unsafeLoad(fromByteOffset: position, as: UInt8.self)
      position &+= 1
      if shift < 63 || (shift == 63 && byte & 0x7e == 0) {
        value |= UInt64(byte & 0x7f) &<< shift
      } else if byte & 0x7f != 0 {
        throw MalformedInput(
          field: field.description, offset: FileOffset(UInt64(position)),
          problem: .inconsistent("is a LEB128 of more than 64 bits"))
      }
      if byte & 0x80 == 0 { return value }
      shift &+= 7
    }
    throw truncated(field, needed: 1)
  }

  /// A signed LEB128 (DWARF 5, section 7.6); bits above 64 are ignored.
  @inlinable public mutating func sleb128(_ field: StaticString) throws(MalformedInput) -> Int64 {
    var value: UInt64 = 0
    var shift: UInt64 = 0
    while position < bytes.byteCount {
      // Safe: `position` is within `bytes` by the loop's condition.
      let byte = unsafe bytes.unsafeLoad(fromByteOffset: position, as: UInt8.self)
      position &+= 1
      if shift < 64 { value |= UInt64(byte & 0x7f) &<< shift }
      shift &+= 7
      if byte & 0x80 == 0 {
        if shift < 64, byte & 0x40 != 0 { value |= ~UInt64(0) &<< shift }
        return Int64(bitPattern: value)
      }
    }
    throw truncated(field, needed: 1)
  }

  /// A signed number as zigzag in an unsigned LEB128, as protobuf's `sint64`.
  @inlinable public mutating func zigzag(_ field: StaticString) throws(MalformedInput) -> Int64 {
    let raw = try uleb128(field)
    return Int64(bitPattern: raw &>> 1) ^ -Int64(bitPattern: raw & 1)
  }

  /// Bytes up to, and without, the next NUL; the cursor goes past the NUL.
  @_lifetime(copy self)
  public mutating func cString(_ field: StaticString) throws(MalformedInput) -> RawSpan {
    var end = position
    while end < bytes.byteCount {
      // Safe: `end` is within `bytes` by the loop's condition.
      if unsafe bytes.unsafeLoad(fromByteOffset: end, as: UInt8.self) == 0 {
        defer { position = end + 1 }
        return bytes.extracting(position..<end)
      }
      end += 1
    }
    throw truncated(field, needed: 1)
  }

  @usableFromInline func truncated(_ field: StaticString, needed: Int) -> MalformedInput {
    MalformedInput(
      field: field.description, offset: FileOffset(UInt64(position)),
      problem: .truncated(needed: needed, remaining: remaining))
  }
}

extension RawSpan {
  /// The bytes as an array of their own.
  public func copied() -> [UInt8] {
    // Safe: the pointer is used only inside the closure.
    unsafe withUnsafeBytes { unsafe [UInt8]($0) }
  }

  /// The bytes as text; what is not UTF-8 becomes U+FFFD.
  public func text() -> String {
    // Safe: the pointer is used only inside the closure.
    unsafe withUnsafeBytes { unsafe String(decoding: $0, as: UTF8.self) }
  }

  /// The byte at `offset`, or `nil` past the end.
  @inlinable public func byte(at offset: Int) -> UInt8? {
    guard offset >= 0, offset < byteCount else { return nil }
    // Safe: within bounds by the guard above.
    return unsafe unsafeLoad(fromByteOffset: offset, as: UInt8.self)
  }

  /// The integer at `offset`, least significant byte first, or `nil` past the end.
  @inlinable public func integer<Value: FixedWidthInteger & BitwiseCopyable>(at offset: Int, as type: Value.Type) -> Value? {
    guard offset >= 0, offset <= byteCount &- MemoryLayout<Value>.size else { return nil }
    // Safe: within bounds by the guard above.
    return Value(littleEndian: unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: Value.self))
  }

  /// The eight bytes from `offset` as a number, least significant byte first, or `nil` when fewer are there.
  @inlinable public func word(at offset: Int) -> UInt64? {
    guard offset >= 0, offset <= byteCount &- 8 else { return nil }
    // Safe: within bounds by the guard above.
    return UInt64(littleEndian: unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
  }
}
