import Base
import ObjectFile
import Testing

@Suite struct PerfMapReaderTests {
  private func read(_ text: String) -> [JITSymbol] {
    var reader = PerfMapReader()
    return reader.read(Array(text.utf8).borrowedBytes)
  }

  @Test func `each line is a function, its name up to the end of the line`() {
    let found = read("7f0010 20 LazyCompile:*run /app/a.js:1:2\n0x7F0040 0x8 stub\r\n")
    #expect(
      found == [
        JITSymbol(address: 0x7f0010, byteCount: 0x20, name: "LazyCompile:*run /app/a.js:1:2"),
        JITSymbol(address: 0x7f0040, byteCount: 8, name: "stub"),
      ])
  }

  @Test(arguments: [
    "", "\n", "7f0010\n", "7f0010 20\n", "7f0010 20 \n", "x 20 a\n", "7f0010 0 empty\n", "-1 20 a\n",
    "ffffffffffffffff 20 beyond\n", "11111111111111111 20 large\n", "7f0010 20 unfinished",
  ])
  func `a line that is none is passed over`(text: String) {
    #expect(read(text).isEmpty)
    #expect(read(text + (text.hasSuffix("\n") ? "" : "\n") + "10 1 good\n").last?.name.hasSuffix("good") != false)
  }

  @Test func `a file that grows is read on from where it ended, wherever that was`() {
    let text = Array("1000 10 first function\n2000 20 second\nnonsense\n3000 30 third\n".utf8)
    let whole = read(String(decoding: text, as: UTF8.self))
    #expect(whole.count == 3)
    for cut in 0...text.count {
      var reader = PerfMapReader()
      let found = reader.read(Array(text[..<cut]).borrowedBytes) + reader.read(Array(text[cut...]).borrowedBytes)
      #expect(found == whole)
    }
  }

  @Test func `an endless line takes no more memory than a name may have`() {
    var reader = PerfMapReader()
    let piece = [UInt8](repeating: UInt8(ascii: "a"), count: 1 << 20)
    #expect(reader.read(Array("10 20 ".utf8).borrowedBytes).isEmpty)
    for _ in 0..<8 { #expect(reader.read(piece.borrowedBytes).isEmpty) }
    #expect(reader.read([0x0a].borrowedBytes).first?.name.utf8.count == JITSymbol.maximumNameByteCount)
  }
}

@Suite struct JITDumpReaderTests {
  private static func little<Value: FixedWidthInteger>(_ value: Value) -> [UInt8] {
    (0..<MemoryLayout<Value>.size).map { UInt8(truncatingIfNeeded: value >> (8 * Value($0))) }
  }
  private static func header(version: UInt32 = 1) -> [UInt8] {
    little(UInt32(0x4a69_5444)) + little(version) + little(UInt32(40)) + [UInt8](repeating: 0, count: 28)
  }
  private static func record(_ kind: UInt32, _ body: [UInt8]) -> [UInt8] {
    little(kind) + little(UInt32(16 + body.count)) + little(UInt64(5)) + body
  }
  private static func load(_ name: String, at address: UInt64, byteCount: UInt64, number: UInt64) -> [UInt8] {
    let code = [UInt8](repeating: 0x90, count: Int(byteCount))
    return record(
      0, little(UInt64(1)) + little(address) + little(address) + little(byteCount) + little(number) + Array(name.utf8) + [0] + code)
  }
  private static func move(to address: UInt64, byteCount: UInt64, number: UInt64) -> [UInt8] {
    record(
      1, little(UInt64(1)) + little(UInt64(0)) + little(UInt64(0)) + little(address) + little(byteCount) + little(number))
  }

  private static let dump =
    header() + load("first", at: 0x1000, byteCount: 32, number: 1) + record(2, [1, 2, 3])
    + load("second", at: 0x2000, byteCount: 8, number: 2) + move(to: 0x3000, byteCount: 32, number: 1)
  private static let expected = [
    JITSymbol(address: 0x1000, byteCount: 32, name: "first", nanoseconds: 5),
    JITSymbol(address: 0x2000, byteCount: 8, name: "second", nanoseconds: 5),
    JITSymbol(address: 0x3000, byteCount: 32, name: "first", nanoseconds: 5),
  ]

  private func read(_ reader: inout JITDumpReader, _ bytes: [UInt8]) -> [JITSymbol] {
    reader.read(byteCount: UInt64(bytes.count)) { offset, count in
      let from = min(Int(clamping: offset), bytes.count)
      return Array(bytes[from..<min(from + count, bytes.count)])
    }
  }

  @Test func `loaded and moved code has its name`() {
    var reader = JITDumpReader()
    #expect(read(&reader, Self.dump) == Self.expected)
    #expect(!reader.isDamaged)
  }

  @Test func `a file that grows is read on from its last whole record`() {
    for cut in 0...Self.dump.count {
      var reader = JITDumpReader()
      let first = read(&reader, Array(Self.dump[..<cut]))
      #expect(first + read(&reader, Self.dump) == Self.expected)
    }
  }

  @Test func `what is no jitdump, or one of another version, is not read`() {
    for bytes in [[UInt8](repeating: 7, count: 100), Self.header(version: 2) + Self.dump.dropFirst(40)] {
      var reader = JITDumpReader()
      #expect(read(&reader, bytes).isEmpty)
      #expect(reader.isDamaged)
    }
  }

  @Test func `whatever bit is wrong, reading ends`() {
    for place in Self.dump.indices {
      for bit in 0..<8 {
        var damaged = Self.dump
        damaged[place] ^= 1 << UInt8(bit)
        var reader = JITDumpReader()
        #expect(read(&reader, damaged).count <= 3)
      }
    }
  }
}
