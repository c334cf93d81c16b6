import Base
import Glibc
import Recorder
import Replayer
import TestSupport
import Testing
import TraceFormat

/// What the recorder was told on a real kernel, told again: its own logic without kernel, root or the processes.
struct TapeTests {
  private final class NoImages: ImageOpener {
    func open(process: UInt32, start: UInt64, end: UInt64, path: String, inode: UInt64) -> Int32? { nil }
  }

  private final class NoCopies: ImageCopying {
    func copy(_ request: ImageRequest) {}
    func lookUp(kernelAddresses: [UInt64]) {}
  }

  /// Plays a tape into a segment file and reads that.
  private func play(_ tape: String) throws -> LoadedTrace {
    let scratch = try ScratchDirectory()
    let header = SegmentHeader(
      traceID: [UInt8](repeating: 7, count: 16),
      anchor: ClockAnchor(
        monotonic: MonotonicInstant(nanoseconds: 0), unix: UnixInstant(nanoseconds: 0), bootNanoseconds: 0),
      machine: "x86_64", kernelRelease: "0", kernelVersion: "0", hostName: "test", cpuCount: 2, recorderVersion: "0",
      abilities: [])
    let path = scratch.path + "/played.seg"
    let writer = try SegmentWriter(path: path, header: header)
    let player = try TapePlayer(try Fixture.bytes(tape))
    let core = RecordingCore(files: player, opener: NoImages(), sink: writer, copier: NoCopies())
    try player.play(into: core)
    try writer.close()
    return try LoadedTrace(path: path, workers: 2)
  }

  @Test(arguments: ["reexec", "mapper", "short_children"])
  func `a tape played twice gives the same programs, stacks and samples`(name: String) throws {
    let tape = Fixture.path("tapes/\(name).tape")
    let first = try play(tape)
    let second = try play(tape)
    #expect(first.contents.sampleCount > 50)
    #expect(first.isComplete)
    #expect(first.contents.groups == second.contents.groups)
    #expect(first.contents.weights == second.contents.weights)
    #expect(first.contents.processes == second.contents.processes)
    #expect(first.contents.images == second.contents.images)
  }

  @Test func `a program that executes itself is two programs in one process`() throws {
    let trace = try play(Fixture.path("tapes/reexec.tape"))
    let lives = trace.contents.processes.values.filter { $0.executable.hasSuffix("/reexec") }
    #expect(lives.count == 2)
    #expect(Set(lives.map(\.identity)).count == 1)
    #expect(Set(lives.map(\.commandLine)).count == 2)
  }

  @Test func `every short-lived child is a program of its own with its arguments`() throws {
    let trace = try play(Fixture.path("tapes/short_children.tape"))
    let programs = trace.contents.processes.values.filter { $0.executable.hasSuffix("/short_children") }
    #expect(Set(programs.map(\.identity)).count > 10)
    #expect(programs.allSatisfy { !$0.commandLine.isEmpty })
  }
}
