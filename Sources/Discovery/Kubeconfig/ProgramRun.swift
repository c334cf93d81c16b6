import Base
import Glibc

/// A program that is run for what it writes.
package struct ProgramRun: Hashable, Sendable {
  /// A path, or a name that is looked for in `PATH`.
  package var command: String
  package var arguments: [String]
  /// `NAME=VALUE`, whole.
  package var environment: [String]
  package var timeoutMilliseconds = 60_000

  package init(command: String, arguments: [String], environment: [String]) {
    self.command = command
    self.arguments = arguments
    self.environment = environment
  }

  private static let maximumOutput = 1 << 20

  /// What it writes to its standard output. Its standard input is empty, and what it writes to standard error is part of
  /// the error when it fails.
  package func perform() throws(DiscoveryError) -> [UInt8] {
    let output = try Pipe()
    let errors = try Pipe()
    let child = try start(output, errors)
    output.closeWriter()
    errors.closeWriter()
    var bytes: [UInt8] = []
    var words: [UInt8] = []
    let deadline = ContinuousClock.now + .milliseconds(timeoutMilliseconds)
    var isOver = false
    while !isOver, ContinuousClock.now < deadline, bytes.count <= Self.maximumOutput {
      let rest = Int((deadline - ContinuousClock.now) / .milliseconds(1))
      let ready = Pipe.wait(output, errors, milliseconds: max(1, rest))
      let more = ready.0 ? output.read(into: &bytes) : true
      if ready.1, words.count <= Self.maximumOutput { _ = errors.read(into: &words) }
      isOver = !more
    }
    // Its whole group, so that nothing of it stays; harmless when it has ended.
    if !isOver { kill(-child, SIGKILL) }
    var status: Int32 = 0
    // Safe: waits for a child of ours, which writes the local.
    _ = retryingOnInterrupt { unsafe Int(waitpid(child, &status, 0)) }
    guard isOver else {
      throw DiscoveryError(
        bytes.count > Self.maximumOutput
          ? "\(command) writes more than \(Self.maximumOutput >> 20) MiB" : "\(command) has not ended after \(timeoutMilliseconds / 1000) s"
      )
    }
    guard status == 0 else {
      let how = status & 0x7f == 0 ? "ends with status \(status >> 8 & 0xff)" : "was ended by signal \(status & 0x7f)"
      let said = ShownText.shortened(String(decoding: words, as: UTF8.self))
      throw DiscoveryError("\(command) \(how)\(said.isEmpty ? "" : ": " + said)")
    }
    return bytes
  }

  private func start(_ output: Pipe, _ errors: Pipe) throws(DiscoveryError) -> pid_t {
    // Safe: both are made here and freed at the end; the calls copy what they are given.
    var actions = unsafe posix_spawn_file_actions_t()
    var attributes = posix_spawnattr_t()
    unsafe posix_spawn_file_actions_init(&actions)
    unsafe posix_spawnattr_init(&attributes)
    defer {
      unsafe posix_spawn_file_actions_destroy(&actions)
      unsafe posix_spawnattr_destroy(&attributes)
    }
    unsafe posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    unsafe posix_spawn_file_actions_adddup2(&actions, output.writer, 1)
    unsafe posix_spawn_file_actions_adddup2(&actions, errors.writer, 2)
    // Signals that this program blocks are none of the child's business.
    var none = sigset_t()
    unsafe sigemptyset(&none)
    unsafe posix_spawnattr_setsigmask(&attributes, &none)
    unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP) | Int16(POSIX_SPAWN_SETSIGMASK))
    var words = unsafe ([command] + arguments).map { unsafe strdup($0) }
    var variables = unsafe environment.map { unsafe strdup($0) }
    defer { unsafe (words + variables).forEach { unsafe free($0) } }
    unsafe words.append(nil)
    unsafe variables.append(nil)
    var child: pid_t = 0
    // Safe: both lists end with a null pointer.
    let code = unsafe posix_spawnp(&child, command, &actions, &attributes, words, variables)
    guard code == 0 else { throw DiscoveryError("\(SystemCallError(call: "posix_spawn", path: command, code: code))") }
    return child
  }
}

/// Two ends, closed with the object.
private final class Pipe {
  let reader: Int32
  private(set) var writer: Int32

  init() throws(DiscoveryError) {
    var pair: [Int32] = [-1, -1]
    let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    // Safe: two elements, as the call fills. A pair of sockets, because a pipe takes no flags here.
    guard unsafe socketpair(AF_UNIX, kind, 0, &pair) == 0 else {
      throw DiscoveryError("\(SystemCallError(call: "socketpair", path: "exec", code: errno))")
    }
    (reader, writer) = (pair[0], pair[1])
  }

  deinit {
    _ = close(reader)
    closeWriter()
  }

  func closeWriter() {
    if writer >= 0 { _ = close(writer) }
    writer = -1
  }

  /// `false` at the end.
  func read(into bytes: inout [UInt8]) -> Bool {
    var piece = [UInt8](repeating: 0, count: 1 << 14)
    // Safe: as many bytes as there is room for.
    let got = retryingOnInterrupt { unsafe Glibc.read(reader, &piece, piece.count) }
    if got > 0 { bytes += piece[..<got] }
    return got > 0
  }

  static func wait(_ first: Pipe, _ second: Pipe, milliseconds: Int) -> (Bool, Bool) {
    var polled = [first.reader, second.reader].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
    // Safe: as many elements as are named.
    guard unsafe poll(&polled, 2, Int32(clamping: milliseconds)) > 0 else { return (false, false) }
    // A stream that has ended is always ready: it is not to keep this busy.
    if polled[0].revents == 0, polled[1].revents & Int16(POLLIN) == 0 { usleep(10_000) }
    return (polled[0].revents != 0, polled[1].revents & Int16(POLLIN) != 0)
  }
}
