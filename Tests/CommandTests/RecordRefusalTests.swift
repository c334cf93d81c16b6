import Glibc
import TestSupport
import Testing

/// Recordings that cannot begin, as an ordinary user and as root.
@Suite struct RecordRefusalTests {
  /// The command as nobody, without any capability, in a directory that nobody may write to.
  private func asNobody(_ arguments: [String], in scratch: ScratchDirectory) throws -> CommandOutcome {
    // The build directory may lie where nobody else can look.
    let copy = "\(scratch.path)/pyrorec"
    let copied = try Command.run(["cp", Command.pyrorec, copy])
    try #require(copied.status == 0, "\(copied)")
    return try Command.run(
      [
        "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all", "--",
        copy,
      ] + arguments, directory: scratch.path)
  }

  @Test(.enabled(if: KernelAccess.isRoot, "only root can become nobody"))
  func `without privileges the missing one is named and the status is 77`() throws {
    let scratch = try ScratchDirectory(mode: 0o777)
    let outcome = try asNobody(["record", "-d", "100ms", "--", "true"], in: scratch)
    // 126, 127: the Swift runtime of this build is out of nobody's reach, so nothing was tried.
    if [126, 127].contains(outcome.status) { return }
    #expect(outcome.status == 77, "\(outcome)")
    #expect(outcome.messages.contains("CAP_BPF") || outcome.messages.contains("CAP_PERFMON"), "\(outcome)")
    // libbpf blames the memory lock limit for it, which helps nobody.
    #expect(!outcome.messages.contains("RLIMIT_MEMLOCK"), "\(outcome)")
    #expect(access("\(scratch.path)/trace.seg", F_OK) != 0 && access("\(scratch.path)/trace.seg.part", F_OK) != 0)
  }

  @Test(.enabled(if: KernelAccess.isRoot, "only root can make a PID namespace"))
  func `in a PID namespace of its own it refuses, says why and what to do`() throws {
    let scratch = try ScratchDirectory()
    let outcome = try Command.run(
      ["unshare", "--pid", "--fork", Command.pyrorec, "record", "-d", "100ms"], directory: scratch.path)
    #expect(outcome.status == 69, "\(outcome)")
    #expect(outcome.messages.contains("PID namespace") && outcome.messages.contains("--pid=host"), "\(outcome)")
    #expect(access("\(scratch.path)/trace.seg", F_OK) != 0 && access("\(scratch.path)/trace.seg.part", F_OK) != 0)
  }

  @Test func `a command that is not there is named and nothing is left behind`() throws {
    let scratch = try ScratchDirectory()
    let outcome = try Command.pyrorec("record", "-d", "5s", "--", "no-such-command", directory: scratch.path)
    let denied = !KernelAccess.isRoot && outcome.status == 77
    #expect(denied || (outcome.status != 0 && outcome.messages.contains("no-such-command")), "\(outcome)")
    #expect(outcome.duration < .seconds(4), "it did not wait for the five seconds: \(outcome)")
    #expect(access("\(scratch.path)/trace.seg", F_OK) != 0)
  }

  @Test func `a process that is not there is named`() throws {
    let scratch = try ScratchDirectory()
    // Larger than any pid the kernel gives out (PID_MAX_LIMIT, 2^22).
    let outcome = try Command.pyrorec("record", "-d", "5s", "-p", "4194999", directory: scratch.path)
    let denied = !KernelAccess.isRoot && outcome.status == 77
    #expect(denied || (outcome.status != 0 && outcome.messages.contains("4194999")), "\(outcome)")
    #expect(outcome.duration < .seconds(4), "\(outcome)")
  }

  @Test func `an output that cannot be written is named`() throws {
    let outcome = try Command.pyrorec("record", "-d", "100ms", "-o", "/nonexistent/directory/x.seg", "--", "true")
    let denied = !KernelAccess.isRoot && outcome.status == 77
    #expect(denied || (outcome.status == 1 && outcome.messages.contains("/nonexistent/directory/x.seg")), "\(outcome)")
  }
}
