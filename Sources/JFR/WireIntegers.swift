import Base

/// How a chunk writes integers: `jdk.jfr.internal.consumer.RecordingInput`.
///
/// Compressed: 7 bits a byte, low ones first, bit 7 says that more follow; a ninth byte carries 8 bits. Else big-endian in
/// the type's own width. Every read gives `nil`, and leaves the position anywhere, when the bytes end first.
struct WireIntegers {
  let isCompressed: Bool

  /// A number of `width` bytes (1, 2, 4 or 8), without its sign.
  @inline(__always)
  func read(_ bytes: RawSpan, _ position: inout Int, width: Int) -> UInt64? {
    isCompressed && width > 1 ? Self.compressed(bytes, &position) : Self.fixed(bytes, &position, width: width)
  }

  @inline(__always)
  func long(_ bytes: RawSpan, _ position: inout Int) -> Int64? {
    read(bytes, &position, width: 8).map { Int64(bitPattern: $0) }
  }

  /// A count or an index: an `int` that must not be negative.
  func count(_ bytes: RawSpan, _ position: inout Int) -> Int? {
    guard let raw = read(bytes, &position, width: 4), raw <= UInt64(Int32.max) else { return nil }
    return Int(truncatingIfNeeded: raw)
  }

  /// The low `width` bytes of `raw` as a signed number.
  @inline(__always)
  static func signed(_ raw: UInt64, width: Int) -> Int64 {
    switch width {
    case 1: Int64(Int8(truncatingIfNeeded: raw))
    case 2: Int64(Int16(truncatingIfNeeded: raw))
    case 4: Int64(Int32(truncatingIfNeeded: raw))
    default: Int64(bitPattern: raw)
    }
  }

  @inline(__always)
  static func compressed(_ bytes: RawSpan, _ position: inout Int) -> UInt64? {
    guard let first = bytes.byte(at: position) else { return nil }
    position &+= 1
    return first < 0x80 ? UInt64(first) : compressedRest(bytes, &position, first)
  }

  private static func compressedRest(_ bytes: RawSpan, _ position: inout Int, _ first: UInt8) -> UInt64? {
    var value = UInt64(first & 0x7f)
    var shift: UInt64 = 7
    while let byte = bytes.byte(at: position) {
      position &+= 1
      if shift == 56 { return value | UInt64(byte) &<< 56 }
      value |= UInt64(byte & 0x7f) &<< shift
      if byte < 0x80 { return value }
      shift &+= 7
    }
    return nil
  }

  @inline(__always)
  static func fixed(_ bytes: RawSpan, _ position: inout Int, width: Int) -> UInt64? {
    guard position <= bytes.byteCount &- width else { return nil }
    var value: UInt64 = 0
    for _ in 0..<width {
      guard let byte = bytes.byte(at: position) else { return nil }
      value = value &<< 8 | UInt64(byte)
      position &+= 1
    }
    return value
  }

  /// Goes past `count` compressed integers.
  @inline(__always)
  static func skipCompressed(_ count: Int, _ bytes: RawSpan, _ position: inout Int) -> Bool {
    var left = count
    while left > 0 {
      guard let word = bytes.word(at: position) else { break }
      // The first byte without bit 7 ends the integer; eight with it are followed by the ninth and last.
      let ends = ~word & 0x8080_8080_8080_8080
      position &+= ends == 0 ? 9 : (ends.trailingZeroBitCount &>> 3) &+ 1
      left &-= 1
    }
    while left > 0 {
      guard compressed(bytes, &position) != nil else { return false }
      left &-= 1
    }
    return position <= bytes.byteCount
  }
}
