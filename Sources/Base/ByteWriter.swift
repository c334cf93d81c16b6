/// Writes little-endian fields one after another into bytes of its own: the other half of `ByteCursor`.
public struct ByteWriter: Sendable {
  public private(set) var bytes: [UInt8]

  public init(capacity: Int = 0) {
    bytes = []
    bytes.reserveCapacity(capacity)
  }

  @inlinable public var count: Int { bytes.count }

  public mutating func write<Value: FixedWidthInteger & BitwiseCopyable>(_ value: Value) {
    var rest = value.littleEndian
    for _ in 0..<MemoryLayout<Value>.size {
      bytes.append(UInt8(truncatingIfNeeded: rest))
      rest = MemoryLayout<Value>.size > 1 ? rest >> 8 : rest
    }
  }

  public mutating func uleb128(_ value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest &>>= 7
    }
    bytes.append(UInt8(truncatingIfNeeded: rest))
  }

  public mutating func zigzag(_ value: Int64) {
    uleb128(UInt64(bitPattern: value &<< 1) ^ UInt64(bitPattern: value &>> 63))
  }

  public mutating func append(_ more: [UInt8]) { bytes.append(contentsOf: more) }
  public mutating func append(_ more: ArraySlice<UInt8>) { bytes.append(contentsOf: more) }
  public mutating func append(utf8 text: String) { bytes.append(contentsOf: text.utf8) }

  public mutating func append(_ more: RawSpan) {
    // Safe: the pointer is used only inside the closure.
    unsafe more.withUnsafeBytes { unsafe bytes.append(contentsOf: $0) }
  }

  /// The length as an unsigned LEB128, then the bytes.
  public mutating func lengthPrefixed(_ more: [UInt8]) {
    uleb128(UInt64(more.count))
    bytes.append(contentsOf: more)
  }

  /// The length in bytes as an unsigned LEB128, then the text as UTF-8.
  public mutating func lengthPrefixed(utf8 text: String) {
    uleb128(UInt64(text.utf8.count))
    bytes.append(contentsOf: text.utf8)
  }

  public mutating func removeAll(keepingCapacity: Bool = true) { bytes.removeAll(keepingCapacity: keepingCapacity) }

  /// Puts `value` over the bytes at `offset`, which were written before.
  public mutating func overwrite<Value: FixedWidthInteger & BitwiseCopyable>(_ value: Value, at offset: Int) {
    for index in 0..<MemoryLayout<Value>.size {
      bytes[offset + index] = UInt8(truncatingIfNeeded: value.littleEndian >> Value(index * 8))
    }
  }
}
