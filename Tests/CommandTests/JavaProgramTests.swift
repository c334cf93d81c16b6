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

  private func jvm(_ what: String = "cpu,alloc,lock") throws -> RunningCommand {
    let source = "\(Command.repository)/fixtures/jfr/Mix.java"
    let running = try RunningCommand(Self.ordinary + ["java", "-Dfile.encoding=UTF-8", source, "120", what])
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

  @Test(arguments: [
    ["--java", "0x12"], ["--java", "-5"], ["--java-event", "cpu"], ["--java", "--java-event", "alloc=much"],
    ["--java", "--java-event", "cpu", "--java-event", "itimer"],
  ]) func `what is no process is misuse`(_ arguments: [String]) throws {
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

  @Test(.enabled(if: isThere, "there is no JDK in PATH (java and javac)"))
  func `of a JVM that is asked for one kind of events only those are recorded, and what only an agent can is said`() throws {
    let program = try jvm()
    let scratch = try ScratchDirectory(mode: 0o777)
    let outcome = try Command.run(
      Self.ordinary + [
        Command.pyrorec, "record", "-d", "5s", "--java", "\(program.pid)", "--java-event", "alloc=1m", "--java-event", "wall",
      ], directory: scratch.path)
    #expect(outcome.status == 0, "\(outcome)")
    #expect(outcome.messages.contains("not recorded: wall-clock time; only async-profiler does that"), "\(outcome)")
    let converted = try Command.run([Command.pyrorec, "convert", "-o", "app.pb.gz"], directory: scratch.path)
    #expect(converted.status == 0, "\(converted)")
    let files = DirectoryListing.names(in: scratch.path).filter { $0.hasPrefix("app.java_") }
    #expect(files == ["app.java_alloc_sample.pb.gz"], "\(converted)")
  }

  @Test(.enabled(if: isThere, "there is no JDK in PATH (java and javac)"))
  func `an agent with pyroscope.java alone delivers what its JVM recorded, without any privilege`() throws {
    let program = try jvm("cpu,alloc,lock,park")
    let receiver = PushReceiver {
      var time = timespec()
      clock_gettime(CLOCK_REALTIME, &time)
      return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
    let server = try LoopbackServer { request, _ in receiver.answer(request) }
    let scratch = try ScratchDirectory(mode: 0o777)
    try scratch.write(
      Array(
        """
        pyroscope.write "w" {
          endpoint { url = "\(server.url)" }
        }
        pyroscope.java "j" {
          targets    = [{"__process_pid__" = "\(program.pid)", "service_name" = "mix", "team" = "a"}]
          forward_to = [pyroscope.write.w.receiver]
          profiling_config {
            interval = "3s"
            lock     = "1ms"
          }
        }
        """.utf8), to: "agent.alloy")
    chmod(scratch.path + "/agent.alloy", 0o644)
    var running = try RunningCommand(
      Self.ordinary + [
        Command.pyrorec, "run", "--verbose", "--drain", "60s", "--server.http.listen-addr", "none", "--spool", scratch.path + "/spool",
        scratch.path + "/agent.alloy",
      ])
    for _ in 0..<600 where Set(receiver.accepted.map(\.timeNanoseconds)).count < 3 { usleep(100_000) }
    running.send(SIGTERM)
    let outcome = try running.finish(limit: .seconds(120))
    #expect(outcome.status == 0, "\(outcome)")
    #expect(outcome.messages.contains("JVM \(program.pid): recorded by jfr"), "\(outcome)")
    let names = Set(receiver.accepted.flatMap(\.labels).filter { $0.name == "__name__" }.map(\.value))
    #expect(names == ["process_cpu", "memory", "mutex", "block"], "\(outcome)")
    #expect(receiver.accepted.allSatisfy { one in one.labels.contains { $0.name == "service_name" && $0.value == "mix" } })
    #expect(receiver.accepted.allSatisfy { one in one.labels.contains { $0.name == "team" && $0.value == "a" } })
    #expect(receiver.refusals.isEmpty)
    #expect(DirectoryListing.names(in: scratch.path + "/spool/windows").isEmpty)
  }
}
