package import Base

/// Why a JVM could not be asked, and what can be done about it.
package enum JavaError: Error, Hashable, Sendable {
  case system(SystemCallError)
  /// The process ended, or another one has its number now.
  case gone(process: UInt32)
  /// `what` the process is instead.
  case notHotSpot(process: UInt32, what: String)
  /// It was started with `-XX:+DisableAttachMechanism`.
  case attachDisabled(process: UInt32)
  /// It does not catch SIGQUIT, which would end it, and does not listen already.
  case signalNotCaught(process: UInt32)
  case otherUser(process: UInt32, user: UInt32)
  /// Its `/tmp`, where it would make its socket, is mounted read-only.
  case folderReadOnly(process: UInt32)
  /// No directory of its own is writable and lets a library be loaded from it.
  case noFolder(process: UInt32, places: [String])
  /// A JVM that cannot write its recording shuts down.
  case noSpace(process: UInt32, path: String, free: UInt64, needed: UInt64)
  /// As many as can be recorded at a time are being recorded.
  case tooMany(limit: Int)
  case noAnswer(process: UInt32, milliseconds: Int)
  /// It closed the connection without a word.
  case closed(process: UInt32, command: String)
  case argumentTooLong(command: String, byteCount: Int, limit: Int)
  case argumentHasNUL(command: String)
  /// It answered `text`, with a status of its own.
  case refused(command: String, status: Int, text: String)
  /// What it answered is no answer.
  case malformedReply(command: String, String)
}

extension JavaError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .system(let error): "\(error)"
    case .gone(let process): "process \(process) ended"
    case .notHotSpot(let process, let what): "process \(process) is \(what): only HotSpot JVMs (OpenJDK and its builds) can be asked"
    case .attachDisabled(let process):
      "process \(process) was started with -XX:+DisableAttachMechanism: start it without, or record it from outside (pyrorec record)"
    case .signalNotCaught(let process):
      """
      process \(process) does not listen, and SIGQUIT, which would wake its listener, would end it: \
      wait until it has started; one with -Xrs whose socket in /tmp was removed has to be started again
      """
    case .otherUser(let process, let user): "process \(process) belongs to user \(user): run as that user, or as root"
    case .folderReadOnly(let process):
      "process \(process)'s /tmp is read-only, so it cannot listen: mount something writable there, such as an emptyDir"
    case .noFolder(let process, let places):
      "process \(process) can load no library from \(places.joined(separator: ", ")): they are read-only or noexec; without --async-profiler it can record itself"
    case .noSpace(let process, let path, let free, let needed):
      """
      process \(process) has \(free >> 20) MiB left in \(path), and \(needed >> 20) MiB are asked for: \
      a JVM whose recording fills the disk shuts down. Make room, or start it with -XX:FlightRecorderOptions=repository=DIRECTORY
      """
    case .tooMany(let limit): "not recorded: \(limit) JVMs are being recorded, the most at a time; name those that matter"
    case .noAnswer(let process, let milliseconds):
      "process \(process) did not answer within \(milliseconds) ms: it may be stopped, or busy with another tool's command"
    case .closed(let process, let command): "process \(process) closed the connection without an answer to \(command)"
    case .argumentTooLong(let command, let byteCount, let limit):
      "\(command): an argument of \(byteCount) bytes, this JVM takes \(limit): shorten it"
    case .argumentHasNUL(let command): "\(command): an argument holds a NUL"
    case .refused(let command, let status, let text): "\(command): the JVM says \(status == 0 ? "" : "(\(status)) ")\(text)"
    case .malformedReply(let command, let text): "\(command): this is no answer of a JVM: \(text)"
    }
  }
}
