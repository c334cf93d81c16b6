import Base
import Glibc
import TestSupport
import Testing

extension KernelTests {
  @Test func `the exit status of the command is reported and the recording's own is another`() throws {
    let recording = try Recording(of: [FixtureProgram.path("exit_fast"), "3"], symbolize: false)
    #expect(recording.outcome.messages.contains("3"), "\(recording.outcome)")
    #expect(recording.outcome.output.isEmpty, "\(recording.outcome)")
  }

  @Test func `the recording ends when the command does`() throws {
    let recording = try Recording(of: [FixtureProgram.path("chain"), "0.5"], options: ["-d", "60s"], symbolize: false)
    #expect(recording.outcome.duration < .seconds(10), "\(recording.outcome)")
  }

  @Test func `an interrupt ends a recording cleanly and keeps all of it`() throws {
    let scratch = try ScratchDirectory()
    let trace = "\(scratch.path)/trace.seg"
    var running = try RunningCommand([
      Command.pyrorec, "record", "-d", "60s", "-F", "499", "-o", trace, "--", FixtureProgram.path("chain"), "60",
    ])
    sleep(2)
    running.send(SIGINT)
    let outcome = try running.finish(limit: .seconds(20))
    #expect(outcome.status == 0, "\(outcome)")
    #expect(outcome.duration < .seconds(15), "\(outcome)")
    #expect(try Command.pyrorec("verify", trace).status == 0)
    #expect(try #require(try Recording.fact("samples.recorded", of: trace)) > 100)
    #expect(try Recording.fact("complete", of: trace) == 1)
  }

  @Test func `a running process is recorded by its pid, and nothing else is`() throws {
    let scratch = try ScratchDirectory()
    let trace = "\(scratch.path)/trace.seg"
    let target = try RunningCommand([FixtureProgram.path("chain"), "20"])
    let noise = try RunningCommand([FixtureProgram.path("forker"), "20"])
    let outcome = try Command.pyrorec("record", "-d", "2s", "-F", "499", "-p", "\(target.pid)", "-o", trace)
    target.end()
    noise.end()
    try #require(outcome.status == 0, "\(outcome)")
    let stacks = try Recording.stacks(of: trace)
    #expect(stacks.total > 60, "\(stacks.summary)")
    #expect(stacks.total == stacks.count { $0.name == "chain" }, "\(stacks.summary)")
    let inChain = stacks.count { $0.contains(["main", "outer", "middle", "inner_hot"]) }
    #expect(Double(inChain) > 0.9 * Double(stacks.total), "\(stacks.summary)")
  }

  @Test func `a recording of a process ends with the process`() throws {
    let scratch = try ScratchDirectory()
    let target = try RunningCommand([FixtureProgram.path("chain"), "1"])
    let outcome = try Command.pyrorec("record", "-d", "60s", "-p", "\(target.pid)", "-o", "\(scratch.path)/trace.seg")
    // Until here nobody asked for the target's status, so it was a zombie: ended all the same.
    target.end()
    #expect(outcome.status == 0, "\(outcome)")
    #expect(outcome.duration < .seconds(15), "\(outcome)")
  }

  @Test func `without a target the whole system is recorded`() throws {
    let scratch = try ScratchDirectory()
    let trace = "\(scratch.path)/trace.seg"
    let one = try RunningCommand([FixtureProgram.path("chain"), "20"])
    let other = try RunningCommand([FixtureProgram.path("forker"), "20"])
    let outcome = try Command.pyrorec("record", "-d", "2s", "-F", "499", "-o", trace)
    one.end()
    other.end()
    try #require(outcome.status == 0, "\(outcome)")
    let stacks = try Recording.stacks(of: trace)
    #expect(stacks.count { $0.name == "chain" && $0.contains(["outer", "middle", "inner_hot"]) } > 30, "\(stacks.summary)")
    #expect(stacks.count { $0.name == "forker" && $0.contains(["child_life", "outer"]) } > 30, "\(stacks.summary)")
  }

  @Test func `a trace is its owner's alone and an older one is kept`() throws {
    let scratch = try ScratchDirectory()
    let trace = "\(scratch.path)/trace.seg"
    let old = Array("an older recording".utf8)
    try scratch.write(old, to: "trace.seg")
    let outcome = try Command.pyrorec("record", "-o", trace, "--", "true")
    try #require(outcome.status == 0, "\(outcome)")
    #expect(try contents(of: trace + ".old", limit: 1000) == old)
    let status = try OwnedDescriptor(open: trace, O_RDONLY).status(path: trace)
    #expect(status.st_mode & 0o777 == 0o600)
    #expect(access(trace + ".part", F_OK) != 0)
  }

  @Test(.enabled(if: KernelAccess.isRoot, "only root can be asked to drop back to another user"))
  func `under sudo the command runs as the user who asked`() throws {
    let scratch = try ScratchDirectory(mode: 0o777)
    let recorded = try Command.run(
      [Command.pyrorec, "record", "-o", "\(scratch.path)/trace.seg", "--", "id", "-u"],
      environment: ["SUDO_UID": "65534", "SUDO_GID": "65534", "SUDO_USER": "nobody"], directory: "/")
    #expect(recorded.status == 0 && recorded.output == "65534\n", "\(recorded)")
  }
}
