import Base
import Glibc
import Profile
import Replayer
import TestSupport
import Testing
import TraceFormat

/// A real recording, damaged: never a trap, never a hang, and nothing called whole that is not.
struct DamagedTraceTests {
  private let original: [UInt8]
  private let samples: UInt64
  private let collapsed: [UInt8]
  private let scratch: ScratchDirectory

  init() throws {
    let path = Fixture.path("traces/chain_threads.seg")
    original = try Fixture.bytes(path)
    let trace = try LoadedTrace(path: path, workers: 1)
    samples = trace.contents.sampleCount
    collapsed = Self.convert(trace)
    scratch = try ScratchDirectory()
  }

  /// Without symbols: what is tested is the trace, and 4,000 times.
  private static func convert(_ trace: LoadedTrace) -> [UInt8] {
    var configuration = ReplayConfiguration()
    configuration.groupsByThreadName = true
    let replay = Replay(header: trace.reader.header, contents: trace.contents, configuration, symbolizingWith: nil)
    return CollapsedFormat.encode(replay.profile(), FormatOptions())
  }

  /// What comes of `bytes`; `nil` when they are refused as no readable trace.
  private func replay(_ bytes: [UInt8]) throws -> LoadedTrace? {
    let path = scratch.path + "/damaged.seg"
    let file = try OwnedDescriptor(open: path, O_WRONLY | O_CREAT | O_TRUNC)
    try file.write(bytes.borrowedBytes, path: path)
    do throws(ReplayError) {
      let trace = try LoadedTrace(path: path, workers: 1)
      _ = Self.convert(trace)
      return trace
    } catch {
      switch error {
      case .trace(let cause): #expect(cause.isUnreadableTrace, "\(cause)")
      case .system(let cause): Issue.record("\(cause)")
      }
      return nil
    }
  }

  @Test func `a trace cut at 2,000 places gives a part of its samples and never calls itself whole`() throws {
    var generator = SeededGenerator(seed: 1)
    for round in 0..<2000 {
      // The last bytes, where index and trailer are, one by one; the others at random.
      let length = round < 300 ? original.count - 1 - round : Int.random(in: 0..<original.count, using: &generator)
      guard let trace = try replay(Array(original.prefix(length))) else { continue }
      #expect(!trace.isComplete, "cut at \(length)")
      #expect(trace.contents.sampleCount <= samples)
    }
  }

  @Test func `a trace with one of 2,000 bits flipped is refused, or says so, or gives what it gave before`() throws {
    var generator = SeededGenerator(seed: 2)
    for _ in 0..<2000 {
      let bit = Int.random(in: 0..<(original.count * 8), using: &generator)
      var bytes = original
      bytes[bit / 8] ^= 1 << UInt8(bit % 8)
      guard let trace = try replay(bytes) else { continue }
      // Copies of images are not read here; a flip among them changes nothing.
      if trace.isComplete { #expect(Self.convert(trace) == collapsed, "bit \(bit)") }
      #expect(trace.contents.sampleCount <= samples)
    }
  }
}
