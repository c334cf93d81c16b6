import Base
import CLaunch
import Glibc

/// A command that is started stopped, so that its first instruction is already recorded.
@safe final class CommandProcess {
  let pid: pid_t
  private let path: String
  private let goDescriptor: Int32
  private let errorDescriptor: Int32

  /// Forks; the command itself runs only after `release`.
  ///
  /// Under sudo it runs as the user who called it (`SUDO_UID`, `SUDO_GID`), as it would have without the recorder.
  init(_ arguments: [String]) throws(RecorderError) {
    guard let name = arguments.first, let path = Self.find(name) else { throw .commandNotFound(arguments.first ?? "") }
    self.path = path
    var identity = unsafe pyrorec_identity()
    var groups: [gid_t] = []
    if geteuid() == 0, let user = Self.number("SUDO_UID"), let group = Self.number("SUDO_GID") {
      groups = Self.groups(of: user, and: group)
      unsafe identity.drop = 1
      unsafe identity.user = user
      unsafe identity.group = group
    }
    var vector = unsafe arguments.map { unsafe strdup($0) } + [nil]
    defer { unsafe vector.forEach { unsafe free($0) } }
    var go: Int32 = -1
    var failure: Int32 = -1
    // Safe: all buffers live until the call returns, and the child has copies of them.
    let child = unsafe groups.withUnsafeBufferPointer { list in
      unsafe identity.groups = list.baseAddress
      unsafe identity.group_count = Int32(list.count)
      return unsafe pyrorec_launch(path, &vector, environ, &identity, &go, &failure)
    }
    guard child > 0 else { throw .systemCall(SystemCallError(call: "fork", path: name, code: errno)) }
    pid = child
    goDescriptor = go
    errorDescriptor = failure
  }

  deinit {
    _ = close(goDescriptor)
    _ = close(errorDescriptor)
  }

  /// Lets the command run. Returns once it does.
  func release() throws(RecorderError) {
    var byte: UInt8 = 1
    _ = unsafe write(goDescriptor, &byte, 1)
    var code: Int32 = 0
    let got = retryingOnInterrupt { unsafe read(errorDescriptor, &code, 4) }
    if got == 4 { throw .commandNotStarted(path, SystemCallError(call: "execve", path: path, code: code)) }
  }

  /// The end of a command, if it has ended.
  enum Ending {
    case exited(Int32)
    case signalled(Int32)

    /// What a shell would make of it.
    var status: Int32 {
      switch self {
      case .exited(let status): status
      case .signalled(let signal): 128 + signal
      }
    }
  }

  func poll() -> Ending? {
    var status: Int32 = 0
    guard unsafe waitpid(pid, &status, WNOHANG) == pid else { return nil }
    return pyrorec_wait_exited(status) != 0
      ? .exited(pyrorec_wait_exit_status(status)) : .signalled(pyrorec_wait_signal(status))
  }

  func terminate() { _ = kill(pid, SIGTERM) }

  /// As execvp(3) looks: names with a slash are paths, others are looked for along `PATH`.
  private static func find(_ name: String) -> String? {
    guard !name.isEmpty else { return nil }
    if name.contains("/") { return isExecutable(name) ? name : nil }
    let path = unsafe getenv("PATH").map { unsafe String(cString: $0) } ?? "/usr/local/bin:/usr/bin:/bin"
    for directory in path.split(separator: ":", omittingEmptySubsequences: false) {
      let candidate = (directory.isEmpty ? "." : String(directory)) + "/" + name
      if isExecutable(candidate) { return candidate }
    }
    return nil
  }

  private static func isExecutable(_ path: String) -> Bool {
    var status = stat()
    guard unsafe stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return false }
    return unsafe access(path, X_OK) == 0
  }

  private static func number(_ variable: String) -> UInt32? {
    unsafe getenv(variable).flatMap { unsafe UInt32(String(cString: $0)) }
  }

  private static func groups(of user: uid_t, and group: gid_t) -> [gid_t] {
    guard let entry = unsafe getpwuid(user) else { return [group] }
    var count: Int32 = 256
    var list = [gid_t](repeating: 0, count: Int(count))
    guard unsafe getgrouplist(entry.pointee.pw_name, group, &list, &count) >= 0 else { return [group] }
    return Array(list.prefix(Int(count)))
  }
}
