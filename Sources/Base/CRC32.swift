/// The CRC-32 of zlib, gzip and `.gnu_debuglink` (polynomial 0xedb88320, reflected).
public struct CRC32: Sendable {
  // Eight tables, so that eight bytes go through at a time.
  private static let tables: [UInt32] = {
    var tables = [UInt32](repeating: 0, count: 8 * 256)
    for index in 0..<256 {
      var value = UInt32(index)
      for _ in 0..<8 { value = value & 1 == 1 ? 0xedb8_8320 ^ (value >> 1) : value >> 1 }
      tables[index] = value
    }
    for table in 1..<8 {
      for index in 0..<256 {
        let before = tables[(table - 1) * 256 + index]
        tables[table * 256 + index] = tables[Int(before & 0xff)] ^ (before >> 8)
      }
    }
    return tables
  }()

  private var state: UInt32 = 0xffff_ffff
  public init() {}

  public mutating func update(_ bytes: RawSpan) {
    var crc = state
    var offset = 0
    let table = Self.tables.span
    while bytes.byteCount - offset >= 8 {
      // Safe: eight bytes remain by the loop's condition.
      let word = UInt64(littleEndian: unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
      let low = UInt32(truncatingIfNeeded: word) ^ crc
      let high = UInt32(truncatingIfNeeded: word >> 32)
      let first = table[1792 + Int(low & 0xff)] ^ table[1536 + Int((low >> 8) & 0xff)]
      let second = table[1280 + Int((low >> 16) & 0xff)] ^ table[1024 + Int(low >> 24)]
      let third = table[768 + Int(high & 0xff)] ^ table[512 + Int((high >> 8) & 0xff)]
      let fourth = table[256 + Int((high >> 16) & 0xff)] ^ table[Int(high >> 24)]
      crc = first ^ second ^ third ^ fourth
      offset += 8
    }
    while offset < bytes.byteCount {
      // Safe: `offset` is within `bytes` by the loop's condition.
      let byte = unsafe bytes.unsafeLoad(fromByteOffset: offset, as: UInt8.self)
      crc = table[Int((crc ^ UInt32(byte)) & 0xff)] ^ (crc >> 8)
      offset += 1
    }
    state = crc
  }

  public var value: UInt32 { ~state }

  public static func of(_ bytes: RawSpan) -> UInt32 {
    var crc = CRC32()
    crc.update(bytes)
    return crc.value
  }
}
