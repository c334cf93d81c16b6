import Base
package import Glibc

/// What a program that ran left behind.
package struct CommandOutcome: Sendable {
  /// As the shell sees it: the exit status, or 128 and the number of the signal that ended it.
  package let status: Int32
  package let standardOutput: [UInt8]
  package let standardError: [UInt8]
  package let duration: Duration
  /// Whether it had to be killed because `limit` was over.
  package let timedOut: Bool

  /// What it printed, with any bytes that are no UTF-8 replaced.
  package var output: String { String(decoding: standardOutput, as: UTF8.self) }
  package var messages: String { String(decoding: standardError, as: UTF8.self) }
}

extension CommandOutcome: CustomStringConvertible {
  package var description: String {
    "status \(status)\(timedOut ? " (killed: it took too long)" : "") after \(duration)\nstdout: \(output.prefix(2000))\nstderr: \(messages.prefix(4000))"
  }
}

/// A program that could not be run at all.
package struct CommandFailure: Error, CustomStringConvertible {
  package let description: String
  package init(description: String) { self.description = description }
}

/// Runs programs and keeps what they print. Output goes through files, so that a program that prints
/// much never waits for us.
package enum Command {
  /// The `pyrorec` that was built beside these tests.
  ///
  /// SwiftPM runs the tests as an executable of the build's own directory, so the command is its neighbour;
  /// `PYROREC_BINARY` names another one, such as a release build.
  package static let pyrorec: String = {
    if let named = environmentValue("PYROREC_BINARY") { return named }
    var buffer = [CChar](repeating: 0, count: 4096)
    let length = readlink("/proc/self/exe", &buffer, buffer.count - 1)
    let path = String(decoding: buffer.prefix(max(0, length)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return path.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/") + "/pyrorec"
  }()

  /// The repository's top directory, from this file's own path.
  package static let repository: String = {
    let parts = #filePath.split(separator: "/", omittingEmptySubsequences: false)
    return parts.dropLast(3).joined(separator: "/")
  }()

  package static func environmentValue(_ name: String) -> String? {
    guard let value = getenv(name) else { return nil }
    return String(cString: value)
  }

  /// Runs `arguments[0]` (found in `PATH` when it has no slash) to its end.
  /// - Parameters:
  ///   - environment: set on top of this process's own; an empty value removes the name.
  ///   - directory: where it runs; this process's own directory when `nil`.
  ///   - limit: killed, with its whole process group, when it takes longer.
  package static func run(
    _ arguments: [String], environment: [String: String] = [:], directory: String? = nil,
    limit: Duration = .seconds(60)
  ) throws -> CommandOutcome {
    var running = try RunningCommand(arguments, environment: environment, directory: directory)
    return try running.finish(limit: limit)
  }

  /// Runs the command under test.
  package static func pyrorec(
    _ arguments: String..., environment: [String: String] = [:], directory: String? = nil,
    limit: Duration = .seconds(60)
  ) throws -> CommandOutcome {
    try run([pyrorec] + arguments, environment: environment, directory: directory, limit: limit)
  }
}

/// A program that is running; `finish` waits for it. One that is never finished is killed.
package struct RunningCommand: ~Copyable {
  package let pid: pid_t
  private let scratch: ScratchDirectory
  private let started: ContinuousClock.Instant
  private var reaped = false

  package init(_ arguments: [String], environment: [String: String] = [:], directory: String? = nil) throws {
    let scratch = try ScratchDirectory()
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, scratch.path + "/out", O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    posix_spawn_file_actions_addopen(&actions, 2, scratch.path + "/err", O_WRONLY | O_CREAT | O_TRUNC, 0o600)

    // A group of its own, so that all of it can be ended; signals as a shell would leave them.
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var all = sigset_t()
    sigfillset(&all)
    posix_spawnattr_setsigdefault(&attributes, &all)
    var none = sigset_t()
    sigemptyset(&none)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setflags(
      &attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))

    var values: [String] = []
    var entry = environ
    while let text = entry.pointee {
      let value = String(cString: text)
      let name = value.prefix { $0 != "=" }
      if environment[String(name)] == nil { values.append(value) }
      entry += 1
    }
    for (name, value) in environment.sorted(by: { $0.key < $1.key }) where !value.isEmpty {
      values.append("\(name)=\(value)")
    }

    var child: pid_t = 0
    let words = (directory.map { ["env", "-C", $0] } ?? []) + arguments
    let argv = words.map { strdup($0) } + [nil]
    let envp = values.map { strdup($0) } + [nil]
    defer { (argv + envp).forEach { free($0) } }
    let started = ContinuousClock.Instant.now
    let result = posix_spawnp(&child, words[0], &actions, &attributes, argv, envp)
    guard result == 0 else {
      throw CommandFailure(description: "\(arguments[0]): \(String(cString: strerror(result)))")
    }
    pid = child
    self.started = started
    self.scratch = scratch
  }

  deinit {
    if !reaped {
      kill(-pid, SIGKILL)
      var status: Int32 = 0
      waitpid(pid, &status, 0)
    }
  }

  /// Ends it and what it started; to be called where it is no longer needed.
  package consuming func end() {}

  /// Sends `signal` to the program alone, not to what it started.
  package func send(_ signal: Int32) { kill(pid, signal) }

  /// What it printed so far on standard error.
  package func messagesSoFar() throws -> String {
    String(decoding: try contents(of: scratch.path + "/err", limit: 1 << 24), as: UTF8.self)
  }

  /// Waits until it ends, and reads what it printed.
  package mutating func finish(limit: Duration = .seconds(60)) throws -> CommandOutcome {
    var raw: Int32 = 0
    var timedOut = false
    while true {
      let got = waitpid(pid, &raw, WNOHANG)
      if got == pid { break }
      if got < 0 && errno != EINTR { throw CommandFailure(description: "waitpid: \(String(cString: strerror(errno)))") }
      if !timedOut && started.duration(to: .now) > limit {
        timedOut = true
        kill(-pid, SIGKILL)
      }
      usleep(2000)
    }
    reaped = true
    let duration = started.duration(to: .now)
    // What it left running must not outlive the test.
    kill(-pid, SIGKILL)
    let signal = raw & 0x7f
    return CommandOutcome(
      status: signal == 0 ? (raw >> 8) & 0xff : 128 + signal,
      standardOutput: try contents(of: scratch.path + "/out", limit: 1 << 30),
      standardError: try contents(of: scratch.path + "/err", limit: 1 << 24),
      duration: duration, timedOut: timedOut)
  }
}
