/// Bytes of one process, alive or recorded. Whoever reads limits how much; what comes back is another program's and believed in nothing.
package protocol ProcessMemory {
  /// The `byteCount` bytes from `address` on; `nil` unless all of them are there.
  func bytes(at address: ProcessAddress, _ byteCount: Int) -> [UInt8]?
}

extension ProcessMemory {
  /// The little-endian word at `address`; `nil` when it is not there.
  package func word(at address: ProcessAddress) -> UInt64? {
    guard let bytes = bytes(at: address, 8) else { return nil }
    return bytes.littleEndianWord(at: 0)
  }
}

extension [UInt8] {
  /// The little-endian word that begins at `offset`; `nil` past the end.
  package func littleEndianWord(at offset: Int) -> UInt64? {
    guard offset >= 0, count >= 8, offset <= count - 8 else { return nil }
    var value: UInt64 = 0
    for index in (0..<8).reversed() { value = value << 8 | UInt64(self[offset + index]) }
    return value
  }
}

/// Pieces of a process's memory as they were once.
package struct RecordedMemory: ProcessMemory, Sendable {
  /// Ascending, none overlapping another.
  package private(set) var regions: [(start: UInt64, bytes: [UInt8])] = []

  package init() {}

  /// Adds a piece above the ones that are there.
  package mutating func append(_ bytes: [UInt8], at start: ProcessAddress) {
    regions.append((start.rawValue, bytes))
  }

  package func bytes(at address: ProcessAddress, _ byteCount: Int) -> [UInt8]? {
    guard byteCount >= 0 else { return nil }
    for region in regions where address.rawValue >= region.start {
      let offset = address.rawValue &- region.start
      guard offset <= UInt64(region.bytes.count), UInt64(byteCount) <= UInt64(region.bytes.count) - offset else { continue }
      return Array(region.bytes[Int(offset)..<(Int(offset) + byteCount)])
    }
    return nil
  }
}
