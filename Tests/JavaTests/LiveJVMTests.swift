import Base
import Glibc
import JFR
import Java
import TestSupport
import Testing

/// Real JVMs: skipped where there is no `java`.
@Suite(.serialized, .enabled(if: JavaProgram.isThere, "there is no JDK in PATH (java and javac)"))
struct `a running JVM` {
  @Test func `is recognised and answers`() throws {
    let program = try JavaProgram()
    let target = try JavaTarget(process: program.process)
    guard case .hotSpot = target.kind else { return #expect(Bool(false), "\(target.kind)") }
    #expect(target.catchesQuit)
    let performance = try #require(target.performance)
    #expect(performance.command.contains("Mix"))
    let reply = try AttachClient(target).ask("jcmd", ["VM.version"])
    #expect(reply.status == 0)
    #expect(reply.text.contains("JDK"))
    #expect(access("/tmp/.attach_pid\(program.process)", F_OK) != 0, "the trigger is removed")
  }

  @Test func `records itself in chunks that follow each other without a gap`() throws {
    let program = try JavaProgram()
    let session = try FlightRecorderSession(try JavaTarget(process: program.process), JavaRequest())
    var chunks: [[UInt8]] = []
    for _ in 0..<3 {
      sleep(2)
      try session.rotate()
      chunks += session.finished()
    }
    chunks += session.end()
    let headers = try chunks.map { try ChunkHeader($0.borrowedBytes) }
    #expect(headers.count >= 4)
    for (one, next) in zip(headers, headers.dropFirst()) {
      #expect(one.isFinished)
      // A chunk ends when the next one begins: a tenth of a second would be a gap.
      #expect(abs(one.startNanoseconds + one.durationNanoseconds - next.startNanoseconds) < 100_000_000)
    }
    let left = try FlightRecorder(AttachClient(session.target), feature: session.feature).recordings()
    #expect(left.isEmpty, "nothing of ours goes on in the JVM")
  }

  @Test func `that died leaves what it had flushed`() throws {
    let program = try JavaProgram()
    let target = try JavaTarget(process: program.process)
    guard (target.performance?.feature ?? 0) >= 17 else { return }
    let session = try FlightRecorderSession(target, JavaRequest())
    sleep(4)
    kill(pid_t(program.process), SIGKILL)
    sleep(1)
    let chunks = session.end()
    #expect(chunks.count == 1)
    let chunk = try #require(chunks.first)
    let header = try ChunkHeader(chunk.borrowedBytes)
    #expect(header.byteCount > 10_000)
  }

  @Test func `with attaching disabled gets no signal and prints nothing`() throws {
    let program = try JavaProgram(options: ["-XX:+DisableAttachMechanism"])
    let target = try JavaTarget(process: program.process)
    #expect(throws: JavaError.attachDisabled(process: program.process)) { try AttachClient(target).ask("jcmd", ["VM.version"]) }
    let doctor = JavaDoctor(target)
    #expect(doctor.engine == .native)
    #expect(doctor.checks.contains { $0.name == "attach" && $0.outcome == .bad && !$0.remedy.isEmpty })
    sleep(1)
    #expect(!program.output.contains("Full thread dump"))
    #expect(target.isRunning)
  }

  @Test func `that publishes nothing is known by its library, and by its arguments that it may not be asked`() throws {
    let program = try JavaProgram(options: ["-XX:-UsePerfData", "-XX:+DisableAttachMechanism"])
    let target = try JavaTarget(process: program.process)
    #expect(target.performance == nil)
    #expect(!target.allowsAttach)
    #expect(throws: JavaError.attachDisabled(process: program.process)) { try AttachClient(target).ask("jcmd", ["VM.version"]) }
  }

  @Test func `without signal handlers is asked through the listener it has from its start, and never woken`() throws {
    let program = try JavaProgram(options: ["-Xrs"])
    let target = try JavaTarget(process: program.process)
    #expect(!target.catchesQuit)
    #expect(try AttachClient(target).ask("jcmd", ["VM.version"]).status == 0)
    // Nothing brings its listener back: SIGQUIT would end it.
    unlink("/tmp/.java_pid\(program.process)")
    #expect(throws: JavaError.signalNotCaught(process: program.process)) { try AttachClient(target).ask("jcmd", ["VM.version"]) }
    #expect(JavaDoctor(target).checks.contains { $0.name == "listener" && $0.outcome == .bad && !$0.remedy.isEmpty })
    usleep(200_000)
    #expect(target.isRunning)
  }

  @Test func `whose socket was left by another of its number, or was cleaned away, is asked all the same`() throws {
    let program = try JavaProgram()
    let target = try JavaTarget(process: program.process)
    // A stale one: bound by somebody who is gone.
    let path = "/tmp/.java_pid\(program.process)"
    _ = try Command.run(["python3", "-c", "import socket; socket.socket(socket.AF_UNIX).bind('\(path)')"])
    #expect(access(path, F_OK) == 0)
    #expect(try AttachClient(target).ask("jcmd", ["VM.version"]).status == 0)
    unlink(path)
    #expect(try AttachClient(target).ask("jcmd", ["VM.version"]).status == 0)
  }

  @Test func `a link in place of its socket is not followed`() throws {
    let program = try JavaProgram()
    let path = "/tmp/.java_pid\(program.process)"
    symlink("/run/some-other-socket", path)
    defer { unlink(path) }
    #expect(throws: JavaError.self) { try AttachClient(JavaTarget(process: program.process)).ask("jcmd", ["VM.version"]) }
  }

  @Test func `an argument beyond the first version's limit goes by the second, or is refused before it is sent`() throws {
    let program = try JavaProgram()
    let client = AttachClient(try JavaTarget(process: program.process))
    let long = "VM.version " + String(repeating: "x", count: 1100)
    if try client.speaksSecondVersion() {
      #expect(try client.ask("jcmd", [long]).status != AttachReply.badVersion)
    } else {
      #expect(throws: JavaError.argumentTooLong(command: "jcmd", byteCount: long.utf8.count, limit: 1024)) {
        try client.ask("jcmd", [long])
      }
    }
  }

  @Test(.enabled(if: KernelAccess.isRoot, "taking another user's identity takes root"))
  func `of another user, in its own PID namespace, is asked under its own numbers`() throws {
    let program = try JavaProgram(before: [
      "unshare", "--fork", "--pid", "--mount-proc", "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
    ])
    let target = try JavaTarget(process: program.process)
    #expect(target.user == 65534)
    #expect(target.namespaceProcess != program.process)
    #expect(try AttachClient(target).ask("jcmd", ["VM.version"]).status == 0)
    let session = try FlightRecorderSession(target, JavaRequest())
    sleep(2)
    #expect(session.end().count == 1)
  }
}

@Suite struct `a process that is no JVM` {
  @Test func `gets no signal`() throws {
    let other = try RunningCommand(["sleep", "60"])
    usleep(200_000)
    let target = try JavaTarget(process: UInt32(other.pid))
    #expect(target.kind == .other)
    #expect(throws: JavaError.self) { try AttachClient(target).ask("jcmd", ["VM.version"]) }
    #expect(target.isRunning)
    #expect(JavaDoctor(target).engine == .native)
  }

  @Test func `that is gone is said to be`() throws {
    var other = try RunningCommand(["true"])
    let pid = UInt32(other.pid)
    _ = try other.finish(limit: .seconds(10))
    #expect(throws: JavaError.gone(process: pid)) { try JavaTarget(process: pid) }
  }
}
