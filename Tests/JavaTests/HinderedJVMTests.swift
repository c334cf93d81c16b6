import Base
import Glibc
import Java
import TestSupport
import Testing

/// Real JVMs that something stands in the way of: skipped where there is no `java`.
@Suite(.serialized, .enabled(if: JavaProgram.isThere && KernelAccess.isRoot, "there is no JDK in PATH, or no right to mount"))
struct `a JVM that cannot do everything` {
  /// A JVM in a mount namespace of its own, after `mounts`.
  private func program(_ mounts: String, options: [String] = []) throws -> JavaProgram {
    try JavaProgram(options: options, before: ["unshare", "--mount", "sh", "-ec", "\(mounts); exec \"$@\"", "sh"])
  }

  /// An ELF file by its first bytes alone, which no JVM can load.
  private func library(_ version: String, in scratch: ScratchDirectory) throws -> AgentLibrary {
    let bytes: [UInt8] = [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0] + Array("async-profiler \(version)\0".utf8)
    return try AgentLibrary(path: try scratch.write(bytes, to: "libasyncProfiler.so"))
  }

  @Test func `with a read-only temporary directory is told so, and gets no signal`() throws {
    let program = try program("mount --bind /tmp /tmp; mount -o remount,bind,ro /tmp")
    let target = try JavaTarget(process: program.process)
    #expect(throws: JavaError.folderReadOnly(process: program.process)) { try AttachClient(target).ask("jcmd", ["VM.version"]) }
    #expect(JavaDoctor(target).checks.contains { $0.name == "/tmp" && $0.outcome == .bad && !$0.remedy.isEmpty })
    #expect(!program.output.contains("Full thread dump"))
    #expect(target.isRunning)
  }

  @Test func `with directories that forbid execution records itself, and loads no library`() throws {
    let forbid = ["/tmp", "/dev/shm", "/var/tmp"].map { "mount --bind \($0) \($0); mount -o remount,bind,noexec \($0)" }
    let program = try program(forbid.joined(separator: "; "))
    let target = try JavaTarget(process: program.process)
    let scratch = try ScratchDirectory()
    #expect(throws: JavaError.noFolder(process: program.process, places: ["/tmp", "/dev/shm", "/var/tmp"])) {
      try AsyncProfilerSession(target, JavaRequest(), library("4.5", in: scratch))
    }
    let session = try FlightRecorderSession(target, JavaRequest())
    sleep(1)
    #expect(session.end().count == 1)
  }

  @Test func `that refuses agents is recorded by its own recorder`() throws {
    let program = try program("true", options: ["-XX:-EnableDynamicAgentLoading"])
    let target = try JavaTarget(process: program.process)
    let scratch = try ScratchDirectory()
    let doctor = JavaDoctor(target, asyncProfiler: try library("4.5", in: scratch))
    #expect(doctor.engine == .flightRecorder, "\(doctor.reason)")
    #expect(doctor.checks.contains { $0.name == "agents" && $0.outcome == .limited })
    #expect(throws: JavaError.self) { try AsyncProfilerSession(target, JavaRequest(), library("4.5", in: scratch)) }
    #expect(try FlightRecorderSession(target, JavaRequest()).end().count == 1)
  }

  @Test func `given a library it cannot load goes on, and keeps nothing of ours`() throws {
    let program = try program("true")
    let target = try JavaTarget(process: program.process)
    let scratch = try ScratchDirectory()
    #expect(throws: JavaError.self) { try AsyncProfilerSession(target, JavaRequest(), library("4.5", in: scratch)) }
    #expect(!DirectoryListing.names(in: "/tmp").contains { $0.hasPrefix(".pyrorec-\(getpid())-\(program.process)") })
    #expect(target.isRunning)
  }

  @Test func `is never given a library older than itself`() throws {
    let scratch = try ScratchDirectory()
    #expect(try library("4.0", in: scratch).problem(forJDK: 25) != nil)
    #expect(try library("4.1", in: scratch).problem(forJDK: 25) == nil)
    #expect(try library("", in: scratch).problem(forJDK: 23) != nil, "without a version it is taken as old")
    #expect(try library("4.5", in: scratch).problem(forJDK: nil) != nil, "a JVM of unknown version may be any")
    let program = try program("true")
    let target = try JavaTarget(process: program.process)
    let feature = try #require(target.performance?.feature)
    guard feature >= 23 else { return }
    #expect(throws: JavaError.self) { try AsyncProfilerSession(target, JavaRequest(), library("3.0", in: scratch)) }
    #expect(target.isRunning)
  }

  @Test func `without room for a recording is not asked to make one`() throws {
    let program = try program("mount -t tmpfs -o size=8m tmpfs /mnt", options: ["-Djava.io.tmpdir=/mnt"])
    let target = try JavaTarget(process: program.process)
    let error = #expect(throws: JavaError.self) { try FlightRecorderSession(target, JavaRequest()) }
    guard case .noSpace(_, "/mnt", _, _) = error else { return #expect(Bool(false), "\(String(describing: error))") }
    #expect(JavaDoctor(target).checks.contains { $0.name == "space" && $0.outcome == .bad })
    #expect(DirectoryListing.names(in: "/proc/\(program.process)/root/mnt").isEmpty)
    #expect(target.isRunning)
  }

  @Test func `whose disk fills up while it records is let go before that ends it`() throws {
    let program = try program("mount -t tmpfs -o size=96m tmpfs /mnt", options: ["-Djava.io.tmpdir=/mnt"])
    let recorder = JavaRecorder(JavaOrders(.named([program.process], JavaOrder(JavaRequest()))))
    recorder.start()
    var begun: [UInt32] = []
    for _ in 0..<200 where begun.isEmpty {
      usleep(100_000)
      begun = recorder.takeNews().begun.map(\.process)
    }
    #expect(begun == [program.process])
    let path = "/proc/\(program.process)/root/mnt/fill"
    let file = try OwnedDescriptor(open: path, O_WRONLY | O_CREAT)
    try file.write([UInt8](repeating: 1, count: 80 << 20).borrowedBytes, path: path)
    for _ in 0..<200 where !recorder.hasEnded { usleep(100_000) }
    #expect(recorder.hasEnded)
    let news = recorder.takeNews()
    #expect(news.chunks.count == 1, "what was recorded until then is kept")
    #expect(news.messages.contains { $0.isWarning && $0.text.contains("MiB left in /mnt") })
    #expect(try JavaTarget(process: program.process).isRunning)
    #expect(!program.output.contains("irrecoverable"))
  }
}

@Suite struct `a process that looks like a JVM` {
  /// A Python program that maps a file of this name, as a JVM maps its library.
  private func mapping(_ name: String, in scratch: ScratchDirectory) throws -> RunningCommand {
    let path = try scratch.write([UInt8](repeating: 0, count: 4096), to: name)
    let script =
      "import mmap, time; f = open('\(path)', 'rb'); m = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ); print(1, flush=True); time.sleep(60)"
    let running = try RunningCommand(["python3", "-c", script])
    for _ in 0..<100 {
      usleep(50_000)
      let maps = try contents(of: "/proc/\(running.pid)/maps", limit: 1 << 24)
      if String(decoding: maps, as: UTF8.self).contains(name) { break }
    }
    return running
  }

  @Test func `but has OpenJ9's library is told so, and gets no signal`() throws {
    let scratch = try ScratchDirectory()
    let running = try mapping("libj9vm29.so", in: scratch)
    let target = try JavaTarget(process: UInt32(running.pid))
    #expect(target.kind == .openJ9)
    let doctor = JavaDoctor(target)
    #expect(doctor.engine == .native)
    #expect(doctor.checks.contains { $0.finding.contains("OpenJ9") && $0.outcome == .bad && !$0.remedy.isEmpty })
    #expect(throws: JavaError.notHotSpot(process: target.process, what: "an OpenJ9 JVM")) {
      try AttachClient(target).ask("jcmd", ["VM.version"])
    }
    #expect(target.isRunning)
  }

  @Test func `by its library alone, and would be ended by a signal, gets none`() throws {
    let scratch = try ScratchDirectory()
    let running = try mapping("libjvm.so", in: scratch)
    let target = try JavaTarget(process: UInt32(running.pid))
    #expect(throws: JavaError.signalNotCaught(process: target.process)) { try AttachClient(target).ask("jcmd", ["VM.version"]) }
    usleep(200_000)
    #expect(target.isRunning)
  }
}
