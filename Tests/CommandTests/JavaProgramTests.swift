import Base
import Glibc
import Profile
import TestSupport
import Testing

/// `java doctor` and `record --java` on a real JVM. Neither takes privileges when the JVM is one's own.
struct JavaProgramTests {
  static let isThere: Bool = (try? Command.run(["javac", "-version"]).status) == 0

  /// As an ordinary user, whoever runs the tests.
  private static let ordinary = KernelAccess.isRoot ? ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] : []

  private func jvm() throws -> RunningCommand {
    let source = "\(Command.repository)/fixtures/jfr/Mix.java"
    let running = try RunningCommand(Self.ordinary + ["java", "-Dfile.encoding=UTF-8", source, "120", "cpu,alloc,lock"])
    // The launcher compiles first; a young JVM has no signal handlers yet.
    for _ in 0..<300 {
      usleep(100_000)
      let outcome = try Command.pyrorec("java", "doctor", "\(running.pid)")
      if outcome.status == 0 { break }
    }
    return running
  }

  @Test func `a process that is no JVM is told so, and goes on`() throws {
    let other = try RunningCommand(["sleep", "60"])
    let outcome = try Command.pyrorec("java", "doctor", "\(other.pid)")
    #expect(outcome.status == 1, "\(outcome)")
    #expect(outcome.output.contains("no JVM"), "\(outcome)")
    #expect(outcome.output.contains("pyrorec record -p \(other.pid)"), "\(outcome)")
    #expect(kill(other.pid, 0) == 0)
  }

  @Test func `a process that is not there is named`() throws {
    var other = try RunningCommand(["true"])
    let process = other.pid
    _ = try other.finish(limit: .seconds(10))
    let outcome = try Command.pyrorec("java", "doctor", "\(process)")
    #expect(outcome.status == 1, "\(outcome)")
    #expect(outcome.messages.contains("process \(process) ended"), "\(outcome)")
  }

  @Test(arguments: [["--java", "0x12"], ["--java", "-5"]]) func `what is no process is misuse`(_ arguments: [String]) throws {
    #expect(try Command.run([Command.pyrorec, "record"] + arguments).status == 64)
  }

  @Test func `a library that is none is refused before anything is recorded`() throws {
    let scratch = try ScratchDirectory()
    let outcome = try Command.run(
      [Command.pyrorec, "record", "-d", "1s", "--java", "--async-profiler", "/etc/passwd"], directory: scratch.path)
    #expect(outcome.status == 1, "\(outcome)")
    #expect(outcome.messages.contains("/etc/passwd"), "\(outcome)")
    #expect(DirectoryListing.names(in: scratch.path).isEmpty)
  }

  @Test(.enabled(if: isThere, "there is no JDK in PATH (java and javac)"))
  func `one's own JVM records itself without any privilege, and every metric can be had`() throws {
    let program = try jvm()
    let doctor = try Command.run(Self.ordinary + [Command.pyrorec, "java", "doctor", "\(program.pid)"])
    #expect(doctor.status == 0, "\(doctor)")
    #expect(doctor.output.contains("engine: jfr"), "\(doctor)")
    let scratch = try ScratchDirectory(mode: 0o777)
    let outcome = try Command.run(
      Self.ordinary + [Command.pyrorec, "record", "-d", "6s", "--java", "\(program.pid)"], directory: scratch.path)
    #expect(outcome.status == 0, "\(outcome)")
    #expect(outcome.messages.contains("only JVMs were recorded"), "\(outcome)")
    #expect(try Command.pyrorec("verify", "\(scratch.path)/trace.seg").status == 0)
    let converted = try Command.run([Command.pyrorec, "convert", "-o", "app.pb.gz"], directory: scratch.path)
    #expect(converted.status == 0, "\(converted)")
    for metric in ["java_cpu", "java_alloc_sample", "java_mutex"] {
      let profile = try PprofDecoder.decode(try Fixture.bytes("\(scratch.path)/app.\(metric).pb.gz"))
      #expect(profile.samples.count > 0)
    }
    let sent = try Command.run([Command.pyrorec, "upload", "--url", "file://\(scratch.path)/sent"], directory: scratch.path)
    #expect(sent.status == 0, "\(sent)")
    #expect(DirectoryListing.names(in: "\(scratch.path)/sent").contains { $0.hasSuffix(".json") })
  }
}
