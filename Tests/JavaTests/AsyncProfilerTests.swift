import Base
import Glibc
import JFR
import Java
import TestSupport
import Testing

/// Real JVMs and a real library, which nobody has unless it is named in ASYNC_PROFILER.
@Suite(
  .serialized,
  .enabled(
    if: JavaProgram.isThere && Command.environmentValue("ASYNC_PROFILER") != nil,
    "there is no JDK in PATH, or no library is named in ASYNC_PROFILER"))
struct `a JVM with async-profiler` {
  private func agent() throws -> AgentLibrary { try AgentLibrary(path: Command.environmentValue("ASYNC_PROFILER") ?? "") }

  private func left(_ process: UInt32) -> [String] {
    ["/tmp", "/dev/shm", "/var/tmp"].flatMap { DirectoryListing.names(in: $0) }
      .filter { $0.hasPrefix(".pyrorec-\(getpid())-\(process)") }
  }

  @Test func `records in chunks without a gap, and what was read takes no room`() throws {
    let program = try JavaProgram()
    var request = JavaRequest()
    request.wallNanoseconds = 5_000_000
    request.live = true
    let session = try AsyncProfilerSession(try JavaTarget(process: program.process), request, agent())
    let path = "\(session.folder)/.pyrorec-\(getpid())-\(program.process).jfr"
    var chunks: [[UInt8]] = []
    for _ in 0..<4 {
      sleep(2)
      try session.rotate()
      chunks += session.finished()
      #expect(session.takeRemark() == nil)
      let status = try OwnedDescriptor(open: path, O_RDONLY).status(path: path)
      #expect(Int(status.st_size) >= chunks.reduce(0) { $0 + $1.count })
      #expect(status.st_blocks * 512 < chunks.reduce(0) { $0 + $1.count } / 2 + 200_000, "after \(chunks.count)")
    }
    chunks += session.end()
    #expect(chunks.count == 5)
    let headers = try chunks.map { try ChunkHeader($0.borrowedBytes) }
    for (one, next) in zip(headers, headers.dropFirst()) {
      #expect(abs(one.startNanoseconds + one.durationNanoseconds - next.startNanoseconds) < 100_000_000)
    }
    #expect(left(program.process).isEmpty)
    #expect(session.settings == "event=ctimer,interval=10000000,wall=5000000")
  }

  @Test func `that dies leaves its finished chunks, and nothing of ours`() throws {
    let program = try JavaProgram()
    let session = try AsyncProfilerSession(try JavaTarget(process: program.process), JavaRequest(), agent())
    #expect(!left(program.process).isEmpty)
    sleep(2)
    try session.rotate()
    kill(pid_t(program.process), SIGKILL)
    sleep(1)
    #expect(!session.end().isEmpty)
    #expect(left(program.process).isEmpty)
  }

  @Test func `in which a recorder was killed is recorded by the next one`() throws {
    let program = try JavaProgram()
    let first = try AsyncProfilerSession(try JavaTarget(process: program.process), JavaRequest(), agent())
    withExtendedLifetime(first) {}
    // As the one before would have left it: the agent at work, its files there.
    let second = try AsyncProfilerSession(try JavaTarget(process: program.process), JavaRequest(), agent())
    sleep(2)
    #expect(second.end().count == 1)
    #expect(left(program.process).isEmpty)
  }
}
