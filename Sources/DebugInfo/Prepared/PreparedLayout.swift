import Base

/// How kept answers lie in a file; little-endian, every column of 32-bit numbers.
///
/// "pyrolins", version u32, bytes of the key u32, base address u64, the counts of segments, answers, nodes and texts (u32 each),
/// bytes of texts u64; the key, filled up with zeros to a multiple of 8; the columns:
/// - segments: starts, counted from the base, ascending; then the answer of each, which holds up to the next start;
/// - answers: node, file, line of each;
/// - nodes: parent, name, start line, file and line of the call of each;
/// - texts: the end of each;
/// the texts' bytes; the CRC-32 of all before it. 2^32 - 1 stands for none, as a segment's answer for "ask the file".
struct PreparedLayout {
  static let magic: UInt64 = 0x736e_696c_6f72_7970
  /// Raise it when answers change, too.
  static let version: UInt32 = 1
  static let headerByteCount = 48
  static let none = UInt32.max
  static let maximumKeyByteCount = 1 << 12

  var keyByteCount: Int
  var base: UInt64
  var segmentCount: Int
  var answerCount: Int
  var nodeCount: Int
  var textCount: Int
  var textByteCount: Int

  var keyOffset: Int { Self.headerByteCount }
  var startsOffset: Int { keyOffset + (keyByteCount + 7) / 8 * 8 }
  var segmentAnswersOffset: Int { startsOffset + 4 * segmentCount }
  var answersOffset: Int { segmentAnswersOffset + 4 * segmentCount }
  var nodesOffset: Int { answersOffset + 12 * answerCount }
  var textEndsOffset: Int { nodesOffset + 20 * nodeCount }
  var textsOffset: Int { textEndsOffset + 4 * textCount }
  var checksumOffset: Int { textsOffset + textByteCount }
  var byteCount: Int { checksumOffset + 4 }

  /// Reads the header; `nil` when it is not one that `write` made for `key`, or does not fit `bytes`.
  init?(_ bytes: RawSpan, key: [UInt8]) {
    // No count of 32 bits comes near an overflow.
    var cursor = DwarfCursor(bytes)
    guard cursor.u64() == Self.magic, cursor.u32() == Self.version, cursor.u32() == UInt32(exactly: key.count) else { return nil }
    keyByteCount = key.count
    base = cursor.u64()
    segmentCount = Int(cursor.u32())
    answerCount = Int(cursor.u32())
    nodeCount = Int(cursor.u32())
    textCount = Int(cursor.u32())
    guard let texts = Int(exactly: cursor.u64()), texts <= bytes.byteCount, !cursor.hasFailed else { return nil }
    textByteCount = texts
    guard byteCount == bytes.byteCount else { return nil }
    for (index, byte) in key.enumerated() where bytes.byte(at: keyOffset + index) != byte { return nil }
  }

  init(keyByteCount: Int, base: UInt64, segmentCount: Int, answerCount: Int, nodeCount: Int, textCount: Int, textByteCount: Int) {
    self.keyByteCount = keyByteCount
    self.base = base
    self.segmentCount = segmentCount
    self.answerCount = answerCount
    self.nodeCount = nodeCount
    self.textCount = textCount
    self.textByteCount = textByteCount
  }

  func write(_ writer: inout ByteWriter, key: [UInt8]) {
    writer.write(Self.magic)
    writer.write(Self.version)
    writer.write(UInt32(key.count))
    writer.write(base)
    writer.write(UInt32(segmentCount))
    writer.write(UInt32(answerCount))
    writer.write(UInt32(nodeCount))
    writer.write(UInt32(textCount))
    writer.write(UInt64(textByteCount))
    writer.append(key)
    writer.append([UInt8](repeating: 0, count: startsOffset - keyOffset - key.count))
  }
}
