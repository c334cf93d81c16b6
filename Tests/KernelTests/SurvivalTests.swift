import Base
import Glibc
import TestSupport
import Testing

extension KernelTests {
  /// Milliseconds after the start; `PYROREC_KILL_ROUNDS` asks for more of them, at random.
  static let killMoments: [Int] = {
    let rounds = Command.environmentValue("PYROREC_KILL_ROUNDS").flatMap { Int($0) } ?? 0
    return [400, 1300, 2100, 2950] + (0..<rounds).map { _ in Int.random(in: 50...4000) }
  }()

  @Test(arguments: killMoments)
  func `a recorder killed at any moment leaves all but the last second`(milliseconds: Int) throws {
    let scratch = try ScratchDirectory()
    let trace = "\(scratch.path)/trace.seg"
    var running = try RunningCommand([
      Command.pyrorec, "record", "-d", "60s", "-F", "499", "-o", trace, "--", FixtureProgram.path("chain"), "20",
    ])
    usleep(UInt32(milliseconds) * 1000)
    running.send(SIGKILL)
    let outcome = try running.finish()
    #expect(outcome.status == 128 + SIGKILL, "\(outcome)")
    #expect(access(trace, F_OK) != 0, "only a whole trace has the name of one")

    let part = trace + ".part"
    // Killed before there was anything to write.
    if milliseconds < 500 && access(part, F_OK) != 0 { return }
    let lz4 = try Command.run(["sh", "-c", "lz4 -q -t < '\(part)'"])
    let verified = try Command.pyrorec("verify", part)
    #expect(verified.status == 0, "\(verified)\nlz4: \(lz4)")
    #expect(try Recording.fact("complete", of: part) == 0)
    let recorded = try #require(try Recording.fact("samples.recorded", of: part))
    // A second is lost at most, and on a busy machine as long may go by before the start. What counts is how far the
    // samples reach; how many there are depends on what else wants the core.
    let reach = try #require(try Recording.fact("duration_seconds", of: part))
    #expect(reach >= Double(milliseconds - 2000) / 1000, "the samples reach \(reach) s")
    let least = Double(milliseconds - 2000) / 1000 * 499 * 0.25
    #expect(recorded >= least, "\(recorded) samples, at least \(least) expected")
    let stacks = try Recording.stacks(of: part)
    #expect(stacks.total == Int(recorded))
    let inChain = stacks.count { $0.contains(["main", "outer", "middle", "inner_hot"]) }
    #expect(Double(inChain) >= 0.8 * Double(stacks.count { $0.name == "chain" }), "\(stacks.summary)")
  }

  @Test(.enabled(if: KernelAccess.isRoot, "only root can mount a small file system"))
  func `a full disk stops the recording and keeps what is there`() throws {
    let scratch = try ScratchDirectory()
    let mounted = try Command.run(["mount", "-t", "tmpfs", "-o", "size=192k", "tmpfs", scratch.path])
    // A container may forbid it; what is tested is not the mount.
    guard mounted.status == 0 else { return }
    defer { _ = try? Command.run(["umount", "-l", scratch.path]) }
    let trace = "\(scratch.path)/trace.seg"
    let outcome = try Command.pyrorec(
      "record", "-d", "20s", "-F", "9999", "-o", trace, "--", FixtureProgram.path("chain_threads"), "20",
      limit: .seconds(60))
    #expect(outcome.status == 1, "\(outcome)")
    #expect(!outcome.timedOut && outcome.messages.contains("No space left on device"), "\(outcome)")
    let left = access(trace, F_OK) == 0 ? trace : trace + ".part"
    let verified = try Command.pyrorec("verify", left)
    #expect(verified.status == 0, "\(verified)")
    let converted = try Command.pyrorec("convert", left, "-f", "collapsed", "-o", "-")
    #expect(converted.status == 0, "\(converted)")
  }
}
