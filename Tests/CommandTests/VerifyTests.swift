import TestSupport
import Testing
import TraceFormat

/// What `verify` calls sound, and what it calls damaged.
struct VerifyTests {
  private let scratch: ScratchDirectory
  private let original: [UInt8]
  private let frames: [FrameEntry]

  init() throws {
    scratch = try ScratchDirectory()
    let path = Fixture.path("traces/chain.seg")
    original = try Fixture.bytes(path)
    frames = try SegmentReader(path: path, ignoringIndex: true).frames
  }

  private func verify(_ bytes: [UInt8]) throws -> CommandOutcome {
    let path = scratch.path + "/t.seg.part"
    try scratch.write(bytes, to: "t.seg.part")
    return try Command.run([Command.pyrorec, "verify", path])
  }

  /// As a recorder leaves it that is killed while it writes.
  @Test func `a trace whose last frame was never written to its end is sound up to there`() throws {
    let last = try #require(frames.last)
    let outcome = try verify(Array(original.prefix(Int(last.end) - 1)))
    #expect(outcome.status == 0, "\(outcome)")
    #expect(outcome.output.contains("the recorder did not finish it"), "\(outcome)")
    #expect(outcome.output.contains("cut short inside a data frame"), "\(outcome)")
  }

  @Test func `a bit flipped inside a frame is damage, whether the recorder finished or not`() throws {
    let last = try #require(frames.last)
    for length in [original.count, Int(last.end) - 1] {
      var bytes = Array(original.prefix(length))
      bytes[Int(frames[0].end) - 9] ^= 4
      let outcome = try verify(bytes)
      #expect(outcome.status == 1, "\(outcome)")
      #expect(outcome.output.contains("damaged"), "\(outcome)")
    }
  }
}
