public import Base

/// Bytes read from a process while it lived, for what an interpreter's names need offline.
public struct MemoryRecord: Hashable, Sendable {
  public var addressSpace: AddressSpaceHandle
  public var time: MonotonicInstant
  public var start: ProcessAddress
  public var bytes: [UInt8]
  public init(addressSpace: AddressSpaceHandle, time: MonotonicInstant, start: ProcessAddress, bytes: [UInt8]) {
    self.addressSpace = addressSpace
    self.time = time
    self.start = start
    self.bytes = bytes
  }
}

extension MemoryRecord: SegmentRecord {
  public static let kind = RecordKind.memory

  public func encode(into writer: inout ByteWriter) {
    writer.handle(addressSpace)
    writer.instant(time)
    writer.number(start.rawValue)
    writer.lengthPrefixed(bytes)
  }

  public init(from cursor: inout ByteCursor) throws(MalformedInput) {
    addressSpace = try cursor.handle("memory.address_space")
    time = try cursor.instant("memory.time")
    start = ProcessAddress(try cursor.uleb128("memory.start"))
    bytes = try cursor.data("memory.bytes", limit: Limits.frameContentByteCount)
  }

  public func halves() -> (Self, Self)? {
    let middle = bytes.count / 2
    guard middle > 0, let second = start.adding(UInt64(middle)) else { return nil }
    return (
      Self(addressSpace: addressSpace, time: time, start: start, bytes: Array(bytes[..<middle])),
      Self(addressSpace: addressSpace, time: time, start: second, bytes: Array(bytes[middle...]))
    )
  }
}
