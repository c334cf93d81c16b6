import Base
import Glibc
import Java
import TestSupport

/// `fixtures/jfr/Mix.java`, running until the value goes away.
final class JavaProgram {
  private let running: RunningCommand
  private let scratch: ScratchDirectory
  /// Of the JVM itself, which may be a grandchild.
  let process: UInt32

  static let isThere: Bool = (try? Command.run(["javac", "-version"]).status) == 0

  /// - Parameters:
  ///   - options: of the JVM.
  ///   - before: a command that runs the JVM.
  init(options: [String] = [], before: [String] = []) throws {
    let scratch = try ScratchDirectory()
    let source = "\(Command.repository)/fixtures/jfr/Mix.java"
    let classes = try Self.classes(of: source, in: scratch.path)
    chmod(scratch.path, 0o755)
    let java = before + ["java"] + options + ["-cp", classes, "Mix", "120", "cpu,alloc,lock"]
    let running = try RunningCommand(["sh", "-c", "exec \"$@\" >\(scratch.path)/output 2>&1", "sh"] + java)
    var found: UInt32 = 0
    for _ in 0..<200 where found == 0 {
      usleep(100_000)
      found = Self.find(below: UInt32(running.pid)) ?? 0
    }
    self.scratch = scratch
    self.running = running
    process = found
    guard found != 0 else { throw CommandFailure(description: "no JVM began") }
    // Its signal handlers come a little later than its library.
    for _ in 0..<100 {
      if (try? JavaTarget(process: found))?.catchesQuit == true { break }
      if options.contains("-Xrs") { break }
      usleep(50_000)
    }
    usleep(500_000)
  }

  deinit { if process != 0 { kill(pid_t(process), SIGKILL) } }

  /// What it printed.
  var output: String {
    String(decoding: (try? contents(of: "\(scratch.path)/output", limit: 1 << 24)) ?? [], as: UTF8.self)
  }

  /// The JVM's launcher can compile a file itself, but then it is the compiler's program that runs.
  private static func classes(of source: String, in directory: String) throws -> String {
    let outcome = try Command.run(["javac", "-encoding", "UTF-8", "-d", directory, source], limit: .seconds(120))
    guard outcome.status == 0 else { throw CommandFailure(description: "javac: \(outcome)") }
    return directory
  }

  private static func find(below ancestor: UInt32) -> UInt32? {
    var parents: [UInt32: UInt32] = [:]
    for name in DirectoryListing.names(in: "/proc") {
      guard let process = UInt32(name), let text = try? contents(of: "/proc/\(name)/stat", limit: 1 << 16) else { continue }
      let fields = String(decoding: text, as: UTF8.self).split(separator: ")").last?.split(separator: " ") ?? []
      if fields.count > 1, let parent = UInt32(fields[1]) { parents[process] = parent }
    }
    return parents.keys.sorted().first { process in
      var above: UInt32? = process
      while let one = above, one > 1 {
        if one == ancestor { return JavaTarget.isJVM(process) }
        above = parents[one]
      }
      return false
    }
  }
}
