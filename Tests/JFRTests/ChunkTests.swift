@testable import JFR
import TestSupport
import Testing

struct ChunkTests {
  @Test func `ticks become nanoseconds without a trap on any number`() throws {
    var builder = JFRBuilder()
    builder.ticksPerSecond = 2_600_000_000
    let bytes = builder.chunk()
    let clock = ChunkClock(try ChunkHeader(bytes.span.bytes))
    #expect(clock.nanoseconds(ticks: 2_600_000_000) == 1_000_000_000)
    #expect(clock.nanoseconds(ticks: .min) == 0)
    #expect(clock.nanoseconds(ticks: .max) > 0)
    #expect(clock.unixNanoseconds(ticks: 1000 + 2600) == 1_700_000_000_000_001_000)
    _ = clock.unixNanoseconds(ticks: .min)
  }

  @Test func `a ninth byte carries eight bits, and longer forms than needed are read`() {
    var position = 0
    let minusOne: [UInt8] = [UInt8](repeating: 0xff, count: 9)
    #expect(WireIntegers.compressed(minusOne.span.bytes, &position) == .max)
    #expect(position == 9)
    position = 0
    let padded: [UInt8] = [0x85, 0x80, 0x80, 0x80, 0x00]
    #expect(WireIntegers.compressed(padded.span.bytes, &position) == 5)
    #expect(position == 5)
    position = 0
    let int: [UInt8] = [0xff, 0xff, 0xff, 0xff, 0x0f]
    #expect(WireIntegers.compressed(int.span.bytes, &position).map { WireIntegers.signed($0, width: 4) } == -1)
    position = 0
    let cut: [UInt8] = [0x80, 0x80]
    #expect(WireIntegers.compressed(cut.span.bytes, &position) == nil)
  }

  @Test(arguments: 0...12) func `going past integers ends where reading them does`(count: Int) {
    let bytes: [UInt8] =
      [0x01, 0x80, 0x01] + [UInt8](repeating: 0xff, count: 9) + [0x05, 0x80, 0x80, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08]
    var read = 0
    var fits = true
    for _ in 0..<count { fits = fits && WireIntegers.compressed(bytes.span.bytes, &read) != nil }
    var skipped = 0
    #expect(WireIntegers.skipCompressed(count, bytes.span.bytes, &skipped) == fits)
    if fits { #expect(skipped == read) }
  }

  @Test(
    arguments: [
      ([0], ""), ([1], ""), ([3, 2, 0x68, 0x69], "hi"), ([5, 2, 0xe9, 0x21], "é!"), ([4, 2, 0x68, 0xac, 0x41], "h€"),
      // U+1D49C as the JVM writes it, and a NUL.
      ([3, 8, 0xed, 0xa0, 0xb5, 0xed, 0xb2, 0x9c, 0xc0, 0x80], "𝒜\0"), ([3, 1, 0xff], "\u{fffd}"),
      ([3, 3, 0xed, 0xa0, 0xb5], "\u{fffd}"),
    ] as [([UInt8], String)])
  func `every kind of text becomes UTF-8`(bytes: [UInt8], text: String) {
    var position = 0
    let content = WireText.read(bytes.span.bytes, &position, WireIntegers(isCompressed: true))
    #expect(content == .text(Array(text.utf8)))
    var skipped = 0
    #expect(WireText.skip(bytes.span.bytes, &skipped, WireIntegers(isCompressed: true)))
    #expect(skipped == bytes.count)
    #expect(position == bytes.count)
  }

  @Test func `a copy of a chunk's own header inside it is no chunk`() {
    var builder = JFRBuilder()
    builder.execution(stack: 0, state: 1)
    var bytes = builder.chunk()
    let header = Array(bytes.prefix(68))
    for offset in 8..<16 { bytes[offset] = 0x7f }  // a size nobody can believe
    let whole = bytes + header
    var walk = ChunkWalk(whole.span.bytes)
    let first = walk.next()
    #expect(first?.range == 0..<whole.count)
    #expect(first?.isChunk == true)
    let second = walk.next()
    #expect(second == nil)
  }
}
