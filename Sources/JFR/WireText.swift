import Base

/// A text as a chunk writes it: a byte that says how, then the text.
enum WireText {
  enum Encoding: UInt8 {
    case null = 0
    case empty = 1
    /// A key of the chunk's pool of `java.lang.String`.
    case pooled = 2
    /// A count of bytes and the JVM's modified UTF-8 (JVM specification, 4.4.7), which plain UTF-8 mostly is.
    case utf8 = 3
    /// A count of UTF-16 units, each an integer.
    case utf16 = 4
    /// A count of bytes and ISO 8859-1.
    case latin1 = 5
  }

  /// What is at `position`: a text of the chunk's own, or a key to look up.
  enum Content: Hashable {
    case text([UInt8])
    case key(Int64)
  }

  /// Goes past the text at `position`.
  static func skip(_ bytes: RawSpan, _ position: inout Int, _ integers: WireIntegers) -> Bool {
    guard let raw = bytes.byte(at: position), let encoding = Encoding(rawValue: raw) else { return false }
    position &+= 1
    switch encoding {
    case .null, .empty: return true
    case .pooled: return integers.long(bytes, &position) != nil
    case .utf8, .latin1:
      guard let count = integers.count(bytes, &position), count <= bytes.byteCount &- position else { return false }
      position &+= count
      return true
    case .utf16:
      guard let count = integers.count(bytes, &position), count <= bytes.byteCount &- position else { return false }
      if integers.isCompressed { return WireIntegers.skipCompressed(count, bytes, &position) }
      position &+= count &* 2
      return position <= bytes.byteCount
    }
  }

  /// The text at `position` as UTF-8, empty for null. What is longer than a text may be is cut off.
  static func read(_ bytes: RawSpan, _ position: inout Int, _ integers: WireIntegers) -> Content? {
    guard let raw = bytes.byte(at: position), let encoding = Encoding(rawValue: raw) else { return nil }
    position &+= 1
    switch encoding {
    case .null, .empty: return .text([])
    case .pooled: return integers.long(bytes, &position).map { .key($0) }
    case .utf8, .latin1:
      guard let count = integers.count(bytes, &position), count <= bytes.byteCount &- position else { return nil }
      let text = bytes.extracting(position..<(position &+ min(count, Limits.textBytes)))
      position &+= count
      return .text(encoding == .utf8 ? modifiedUTF8(text) : latin1(text))
    case .utf16:
      guard let count = integers.count(bytes, &position), count <= bytes.byteCount &- position else { return nil }
      var units: [UInt16] = []
      units.reserveCapacity(min(count, Limits.textBytes))
      for _ in 0..<count {
        guard let unit = integers.read(bytes, &position, width: 2) else { return nil }
        if units.count < Limits.textBytes { units.append(UInt16(truncatingIfNeeded: unit)) }
      }
      return .text(Array(String(decoding: units, as: UTF16.self).utf8))
    }
  }

  /// Modified UTF-8 as UTF-8: surrogate pairs become one character, C0 80 a NUL, what is neither U+FFFD.
  static func modifiedUTF8(_ span: RawSpan) -> [UInt8] {
    let raw = span.copied()
    if raw.allSatisfy({ $0 < 0x80 }) { return raw }
    // Byte by byte into UTF-16, where surrogates meet again; four-byte forms are plain UTF-8 of writers other than the JVM.
    var units: [UInt16] = []
    units.reserveCapacity(raw.count)
    var index = 0
    func following(_ offset: Int) -> UInt16? {
      guard index + offset < raw.count, raw[index + offset] & 0xc0 == 0x80 else { return nil }
      return UInt16(raw[index + offset] & 0x3f)
    }
    while index < raw.count {
      let lead = raw[index]
      if lead < 0x80 {
        units.append(UInt16(lead))
        index += 1
      } else if lead & 0xe0 == 0xc0, let one = following(1) {
        units.append(UInt16(lead & 0x1f) << 6 | one)
        index += 2
      } else if lead & 0xf0 == 0xe0, let one = following(1), let two = following(2) {
        units.append(UInt16(lead & 0x0f) << 12 | one << 6 | two)
        index += 3
      } else if lead & 0xf8 == 0xf0, let one = following(1), let two = following(2), let three = following(3),
        let scalar = Unicode.Scalar(UInt32(lead & 0x07) << 18 | UInt32(one) << 12 | UInt32(two) << 6 | UInt32(three))
      {
        units.append(contentsOf: String(Character(scalar)).utf16)
        index += 4
      } else {
        units.append(0xfffd)
        index += 1
      }
    }
    return Array(String(decoding: units, as: UTF16.self).utf8)
  }

  static func latin1(_ span: RawSpan) -> [UInt8] {
    var text: [UInt8] = []
    text.reserveCapacity(span.byteCount)
    for offset in 0..<span.byteCount {
      guard let byte = span.byte(at: offset) else { break }
      if byte < 0x80 {
        text.append(byte)
      } else {
        text.append(0xc0 | byte >> 6)
        text.append(0x80 | byte & 0x3f)
      }
    }
    return text
  }
}
