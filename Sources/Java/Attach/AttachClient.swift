import Base
import CAttach
import Glibc

/// Speaks to the attach listener of a HotSpot JVM, in whatever namespaces it lives; its listener is started when it sleeps.
///
/// Blocks the calling thread. The JVM's listener serves one connection after the other, so commands should be short.
package struct AttachClient: Sendable {
  package let target: JavaTarget
  /// For the listener to start, and again for the answer.
  package var limitMilliseconds = 6000

  /// The JVM uses it whatever `java.io.tmpdir` says.
  private static let folder = "/tmp"
  private static let replyLimit = 64 << 20
  /// How many times `limitMilliseconds` a whole answer may take.
  private static let replyLimits = 5
  private var socketName: String { ".java_pid\(target.namespaceProcess)" }
  private var triggerName: String { ".attach_pid\(target.namespaceProcess)" }

  package init(_ target: JavaTarget) { self.target = target }

  package func ask(_ command: String, _ arguments: [String] = []) throws(JavaError) -> AttachReply {
    let request = AttachRequest(command, arguments)
    let isSecond = request.needsSecondVersion ? try speaksSecondVersion() : false
    return try send(request.encode(secondVersion: isSecond), command)
  }

  /// Whether the JVM takes requests of version 2. Older ones do not know the question.
  package func speaksSecondVersion() throws(JavaError) -> Bool {
    let reply = try send(AttachRequest("getversion").encode(secondVersion: false), "getversion")
    return reply.status == 0 && reply.text.hasPrefix("2")
  }

  /// Whether somebody listens already.
  package func isListening() throws(JavaError) -> Bool { try connect() != nil }

  // MARK: Requests

  private func send(_ bytes: [UInt8], _ command: String) throws(JavaError) -> AttachReply {
    let connection = try connected()
    let place = "process \(target.process)'s attach socket"
    do throws(SystemCallError) {
      try connection.write(bytes.borrowedBytes, path: place)
    } catch { throw timed(error) }
    var answer: [UInt8] = []
    // Each read has a limit of its own; who sends a byte now and then would pass it for ever.
    let end = ContinuousClock.now + .milliseconds(limitMilliseconds * Self.replyLimits)
    while answer.count < Self.replyLimit {
      guard .now < end else { throw .noAnswer(process: target.process, milliseconds: limitMilliseconds * Self.replyLimits) }
      let part: [UInt8]
      do throws(SystemCallError) { part = try connection.readNext(count: 1 << 16, path: place) } catch { throw timed(error) }
      if part.isEmpty { break }
      answer += part
    }
    guard !answer.isEmpty else { throw .closed(process: target.process, command: command) }
    return try AttachReply(answer, to: command)
  }

  private func timed(_ error: SystemCallError) -> JavaError {
    switch error.code {
    case EAGAIN: .noAnswer(process: target.process, milliseconds: limitMilliseconds)
    case EPIPE, ECONNRESET: .closed(process: target.process, command: "this command")
    default: .system(error)
    }
  }

  // MARK: The listener

  private func connected() throws(JavaError) -> OwnedDescriptor {
    guard target.isRunning else { throw .gone(process: target.process) }
    guard case .hotSpot = target.kind else {
      throw .notHotSpot(process: target.process, what: target.kind == .openJ9 ? "an OpenJ9 JVM" : "no JVM")
    }
    guard isAllowed else { throw .otherUser(process: target.process, user: target.user) }
    if let connection = try connect() { return connection }
    try wake()
    // A stopped process, or one whose listener cannot start, never makes the socket.
    var waited = 0
    var step = 10
    while waited < limitMilliseconds {
      usleep(UInt32(step) * 1000)
      waited += step
      step = min(step * 2, 200)
      if let connection = try connect() { return connection }
      guard target.isRunning else { throw .gone(process: target.process) }
    }
    throw .noAnswer(process: target.process, milliseconds: limitMilliseconds)
  }

  /// The JVM takes commands of its own user, and of root.
  private var isAllowed: Bool { geteuid() == 0 || (geteuid() == target.user && getegid() == target.group) }

  /// `nil` when nobody listens; a socket that a dead JVM left behind is removed.
  private func connect() throws(JavaError) -> OwnedDescriptor? {
    do throws(SystemCallError) {
      let folder = try files.directory(Self.folder)
      let place: OwnedDescriptor
      do throws(SystemCallError) { place = try folder.open(socketName, looksOnly: true) } catch {
        if error.code == ENOENT { return nil }
        throw error
      }
      let status = try place.status(path: socketName)
      // Anything may lie there: a link to another program's socket would have us talk to that one.
      guard status.st_mode & S_IFMT == S_IFSOCK, status.st_uid == target.user || status.st_uid == 0 else {
        throw SystemCallError(call: "connect", path: "\(files.root)\(Self.folder)/\(socketName)", code: EPERM)
      }
      let switches = geteuid() == 0 && (target.user != 0 || target.group != getegid())
      let connection = pyrorec_connect(place.rawValue, switches, target.user, target.group, Int32(clamping: limitMilliseconds))
      if connection >= 0 { return OwnedDescriptor(owning: connection) }
      guard errno == ECONNREFUSED else { throw SystemCallError(call: "connect", path: socketName, code: errno) }
      try folder.remove(socketName)
      return nil
    } catch { throw .system(error) }
  }

  private var files: TargetFiles { TargetFiles(process: target.process, user: target.user) }

  /// Makes the file that tells the JVM what SIGQUIT is for this time, and sends it.
  private func wake() throws(JavaError) {
    guard target.allowsAttach else { throw .attachDisabled(process: target.process) }
    // It would be woken for nothing, and asked again and again.
    if TargetMounts(process: target.process).mount(of: Self.folder)?.isReadOnly == true { throw .folderReadOnly(process: target.process) }
    guard target.catchesQuit else { throw .signalNotCaught(process: target.process) }
    let process = pyrorec_process_descriptor(Int32(bitPattern: target.process))
    guard process >= 0 else { throw .gone(process: target.process) }
    let handle = OwnedDescriptor(owning: process)
    // Only now is it certain that the signal reaches the process that was looked at; `exec` leaves it its number and its
    // start, and nothing of the JVM.
    guard target.isRunning else { throw .gone(process: target.process) }
    let now = try JavaTarget(process: target.process)
    guard case .hotSpot = now.kind, now.catchesQuit else { throw .signalNotCaught(process: target.process) }
    do throws(SystemCallError) {
      try withTrigger { () throws(SystemCallError) in
        guard pyrorec_signal_quit(handle.rawValue) == 0 else {
          throw SystemCallError(call: "pidfd_send_signal", path: "process \(target.process)", code: errno)
        }
        // The JVM looks for the file when it handles the signal; it may be removed once the socket is there.
        var waited = 0
        while waited < limitMilliseconds, !isSocketThere, target.isRunning {
          usleep(5000)
          waited += 5
        }
      }
    } catch { throw .system(error) }
  }

  private var isSocketThere: Bool {
    guard let folder = try? files.directory(Self.folder) else { return false }
    return (try? folder.open(socketName, looksOnly: true).status(path: socketName)) != nil
  }

  /// Runs `body` while the file is there: in the working directory, or where that cannot be written, in `/tmp`.
  private func withTrigger(_ body: () throws(SystemCallError) -> Void) throws(SystemCallError) {
    do throws(SystemCallError) {
      let folder = try files.workingDirectory()
      if try makeTrigger(in: folder) {
        defer { try? folder.remove(triggerName) }
        return try body()
      }
    } catch {
      if ![EACCES, EPERM, EROFS, ENOENT, ENOSPC, EDQUOT].contains(error.code) { throw error }
    }
    let folder = try files.directory(Self.folder)
    guard try makeTrigger(in: folder) else { throw SystemCallError(call: "create", path: "\(Self.folder)/\(triggerName)", code: EPERM) }
    defer { try? folder.remove(triggerName) }
    try body()
  }

  /// - Returns: whether the file belongs to somebody the JVM believes: its own user, or root.
  private func makeTrigger(in folder: borrowing TargetDirectory) throws(SystemCallError) -> Bool {
    // One of another tool, or of one that was killed, does as well as ours, but might be a link.
    try? folder.remove(triggerName)
    let file = try folder.create(triggerName, mode: 0o660, user: target.user, group: target.group)
    let owner = try file.status(path: triggerName).st_uid
    if owner == target.user || owner == 0 { return true }
    try folder.remove(triggerName)
    return false
  }
}
