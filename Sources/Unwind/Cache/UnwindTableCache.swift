import Base
import ObjectFile

/// A table as bytes, to be kept between recordings.
///
/// Little-endian: "pyrorows", format version u32, builder version u32, the key's name (length u16, bytes), machine u16, segment
/// count u16, the segments (file offset, address, bytes in the file, bytes in memory: u64 each), first page u64, the counts of
/// rules, page starts and rows (u32 each), then those (24, 4 and 4 bytes each), and the CRC-32 of all before it.
package enum UnwindTableCache {
  static let magic: [UInt8] = Array("pyrorows".utf8)
  static let formatVersion: UInt32 = 1
  private static let maximumSegmentCount = 4096

  package static func encode(_ table: UnwindTable, _ key: UnwindTableKey) -> [UInt8] {
    var writer = ByteWriter(capacity: 256 + table.byteCount)
    writer.append(magic)
    writer.write(formatVersion)
    writer.write(UnwindTableBuilder.version)
    let name = Array(key.name.utf8)
    writer.write(UInt16(name.count))
    writer.append(name)
    writer.write(table.machine.rawValue)
    let segments = table.layout.segments.prefix(maximumSegmentCount)
    writer.write(UInt16(segments.count))
    for segment in segments {
      writer.write(segment.fileOffset.rawValue)
      writer.write(segment.address.rawValue)
      writer.write(segment.fileByteCount)
      writer.write(segment.memoryByteCount)
    }
    writer.write(table.firstPage)
    writer.write(UInt32(table.rules.count))
    writer.write(UInt32(table.pageStarts.count))
    writer.write(UInt32(table.rows.count))
    for rule in table.rules {
      writer.write(rule.words.0)
      writer.write(rule.words.1)
      writer.write(rule.words.2)
    }
    // Safe: numbers have no padding; both architectures are little-endian.
    writer.append(unsafe table.pageStarts.span.bytes)
    writer.append(unsafe table.rows.span.bytes)
    writer.write(CRC32.of(writer.bytes.borrowedBytes))
    return writer.bytes
  }

  /// The table, if `bytes` are exactly what `encode` made of that key's, with this version's builder; whatever is not right
  /// about them, it is `nil`, and the table is built again.
  package static func decode(_ bytes: RawSpan, _ key: UnwindTableKey) -> UnwindTable? {
    let end = bytes.byteCount - 4
    guard end > magic.count else { return nil }
    do throws(MalformedInput) {
      var sum = ByteCursor(bytes.extracting(end..<bytes.byteCount))
      guard try sum.read("checksum", as: UInt32.self) == CRC32.of(bytes.extracting(0..<end)) else { return nil }
      var cursor = ByteCursor(bytes.extracting(0..<end))
      guard try cursor.take(magic.count, "magic").copied() == magic, try cursor.read("format") == formatVersion,
        try cursor.read("builder") == UnwindTableBuilder.version
      else { return nil }
      let nameByteCount: UInt16 = try cursor.read("key")
      guard try cursor.take(Int(nameByteCount), "key").copied() == Array(key.name.utf8) else { return nil }
      let machine = ElfMachine(try cursor.read("machine"))
      let segmentCount: UInt16 = try cursor.read("segments")
      var segments: [ImageLayout.Segment] = []
      for _ in 0..<segmentCount {
        segments.append(
          ImageLayout.Segment(
            fileOffset: FileOffset(try cursor.read("offset")), address: ImageAddress(try cursor.read("address")),
            fileByteCount: try cursor.read("bytes in the file"), memoryByteCount: try cursor.read("bytes in memory")))
      }
      let firstPage: UInt64 = try cursor.read("first page")
      let ruleCount = Int(try cursor.read("rules", as: UInt32.self))
      let pageCount = Int(try cursor.read("pages", as: UInt32.self))
      let rowCount = Int(try cursor.read("rows", as: UInt32.self))
      guard cursor.remaining == ruleCount * 24 + (pageCount + rowCount) * 4 else { return nil }
      var rules: [UnwindRule] = []
      rules.reserveCapacity(ruleCount)
      for _ in 0..<ruleCount {
        rules.append(UnwindRule(words: (try cursor.read("rule"), try cursor.read("rule"), try cursor.read("rule"))))
      }
      let pageStarts = numbers(try cursor.take(pageCount * 4, "pages"))
      let rows = numbers(try cursor.take(rowCount * 4, "rows"))
      let table = UnwindTable(
        machine: machine, layout: ImageLayout(segments), firstPage: firstPage, pageStarts: pageStarts, rows: rows, rules: rules)
      return table.isConsistent ? table : nil
    } catch {
      return nil
    }
  }

  private static func numbers(_ bytes: RawSpan) -> [UInt32] {
    let count = bytes.byteCount / 4
    return unsafe [UInt32](unsafeUninitializedCapacity: count) { buffer, filled in
      // Safe: exactly the buffer's bytes are copied; both architectures are little-endian.
      unsafe bytes.withUnsafeBytes { source in
        unsafe UnsafeMutableRawBufferPointer(buffer).copyMemory(from: UnsafeRawBufferPointer(rebasing: source[0..<count * 4]))
      }
      filled = count
    }
  }
}

extension UnwindTable {
  /// Whether the index, the rows and the rules fit one another, so that a search stays within them.
  var isConsistent: Bool {
    guard rules.count <= RuleInterner.maximumCount else { return false }
    if pageStarts.isEmpty { return rows.isEmpty }
    guard pageStarts.count >= 2, UInt64(pageStarts.count) <= CodeImage.maximumPageCount + 1, pageStarts.first == 0,
      pageStarts.last == UInt32(exactly: rows.count), firstPage <= UInt64.max >> Self.pageBits
    else { return false }
    let ruleEnd = UInt32(RuleNumber.first) + UInt32(rules.count)
    for index in pageStarts.indices.dropLast() {
      let (from, to) = (pageStarts[index], pageStarts[index + 1])
      guard from <= to, to <= UInt32(rows.count) else { return false }
      var last: Int32 = -1
      for place in Int(from)..<Int(to) {
        let low = Int32(rows[place] & 0xffff)
        guard low > last, rows[place] >> 16 < ruleEnd else { return false }
        last = low
      }
    }
    return true
  }
}
