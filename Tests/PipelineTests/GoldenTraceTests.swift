import Base
import Glibc
import Replayer
import TestSupport
import Testing
import TraceFormat

/// Real recordings, replayed: what they gave when they were reviewed they give again, on any number of workers.
struct GoldenTraceTests {
  static let traces = Fixture.paths(in: "traces", suffix: ".seg")
  /// Rewrites the goldens instead of comparing.
  static let rewrites = Command.environmentValue("PYROREC_RECORD_GOLDENS") == "1"

  @Test func `there are golden traces, each small`() throws {
    #expect(Self.traces.count >= 5)
    for path in Self.traces { #expect(try Fixture.bytes(path).count <= 2 << 20) }
  }

  @Test(arguments: traces, [1, 8])
  func `a golden trace gives what it gave before`(path: String, workers: Int) throws {
    let trace = try LoadedTrace(path: path, workers: workers)
    for output in GoldenOutputs(of: trace, workers: workers).outputs {
      let golden = String(path.dropLast(4)) + output.suffix
      if Self.rewrites {
        let file = try OwnedDescriptor(open: golden, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o644)
        try file.write(output.bytes.borrowedBytes, path: golden)
      } else {
        #expect(
          String(decoding: try Fixture.bytes(golden), as: UTF8.self) == String(decoding: output.bytes, as: UTF8.self),
          "\(golden); `pyrorec replay` shows the difference")
      }
    }
  }

  @Test(arguments: traces)
  func `a golden trace is whole and lost nothing`(path: String) throws {
    let trace = try LoadedTrace(path: path, workers: 1)
    #expect(trace.isComplete)
    #expect(trace.contents.lostSamples == 0)
    #expect(trace.contents.sampleCount > 50)
  }

  /// Every sample of it carries its registers and its stack.
  @Test(arguments: [1, 8])
  func `the stacks of a golden trace, unwound again by the files in it, are the recorder's`(workers: Int) throws {
    let trace = try LoadedTrace(path: Fixture.path("traces/bare_frames.seg"), workers: workers)
    var check = StackCheck()
    try StackCopies(of: trace, workers: workers).forEach(onlyUnfinished: false) { check.note($0) }
    #expect(check.differences.isEmpty)
    // All that have a user stack.
    #expect(check.counts[.asRecorded] == Int(trace.contents.userSampleCount), "\(check.summary ?? "")")
  }

  /// The program's own chain, root first, that the goldens must show with nearly all samples.
  @Test(arguments: [
    ("chain", ["main", "outer", "middle", "inner_hot"]),
    ("chain_threads", ["thread_main", "outer", "middle", "inner_hot"]),
  ])
  func `the golden of a program shows its known chain`(name: String, chain: [String]) throws {
    let text = String(decoding: try Fixture.bytes(Fixture.path("traces/\(name).collapsed.txt")), as: UTF8.self)
    let stacks = try CollapsedStacks(parsing: text)
    #expect(Double(stacks.count { $0.contains(chain) }) >= 0.95 * Double(stacks.total))
  }
}
