import Base
import CAttach
import Glibc

/// A copy of the agent's library where the JVM can load it, and the files the agent writes there.
struct AgentPlacement {
  let target: JavaTarget
  /// As the JVM sees it.
  let folder: String
  let library: String
  let name: String
  /// Held open: what is ours is removed also when the process is gone, and its root with it.
  private let parent: Parent
  private final class Parent: Sendable {
    let directory: TargetDirectory
    init(_ directory: consuming TargetDirectory) { self.directory = directory }
  }

  private static let candidates = ["/tmp", "/dev/shm", "/var/tmp"]
  private static let libraryName = "libasyncProfiler.so"
  /// Every file and directory of ours in a target is called so, with the recorder's process behind it.
  static let prefix = ".pyrorec-"

  /// Copies the library into a directory that nobody but root can change.
  /// - Parameter first: where it goes if it can.
  init(_ target: JavaTarget, _ agent: AgentLibrary, first: String = "/tmp") throws(JavaError) {
    self.target = target
    name = Self.prefix + "\(getpid())-\(target.process)"
    let files = TargetFiles(process: target.process, user: target.user)
    let mounts = TargetMounts(process: target.process)
    let places = [first] + Self.candidates.filter { $0 != first }
    var problem = JavaError.noFolder(process: target.process, places: places)
    for place in places {
      guard let mount = mounts.mount(of: place), !mount.isReadOnly, !mount.forbidsExecution else { continue }
      do throws(SystemCallError) {
        let parent = Parent(try files.directory(place))
        let own = try parent.directory.makeDirectory(name)
        do throws(SystemCallError) {
          let file = try own.create(Self.libraryName, mode: 0o755, user: geteuid(), group: getegid())
          try file.write(agent.bytes.borrowedBytes, path: "\(place)/\(name)/\(Self.libraryName)")
        } catch {
          try? own.remove(Self.libraryName)
          try? parent.directory.removeDirectory(name)
          throw error
        }
        self.parent = parent
        folder = place
        library = "\(place)/\(name)/\(Self.libraryName)"
        return
      } catch { problem = .system(error) }
    }
    throw problem
  }

  var recording: String { "\(folder)/\(name).jfr" }
  var log: String { "\(folder)/\(name).log" }

  /// Removes everything of ours. The JVM keeps the library it has loaded.
  func remove() { Self.remove(name, in: parent.directory) }

  private static func remove(_ name: String, in parent: borrowing TargetDirectory) {
    try? parent.remove("\(name).jfr")
    try? parent.remove("\(name).log")
    if let own = try? parent.directory(name) { try? own.remove(libraryName) }
    try? parent.removeDirectory(name)
  }

  /// Removes what recorders that are gone left in a target.
  /// - Returns: whether there was anything, so that the agent may still be recording.
  static func removeAbandoned(in target: JavaTarget, first: String) -> Bool {
    var found = false
    for place in Set(candidates + [first]).sorted() {
      guard let parent = try? TargetFiles(process: target.process, user: target.user).directory(place) else { continue }
      for entry in parent.names() where entry.hasPrefix(prefix) {
        let owner = entry.dropFirst(prefix.count).prefix { $0.isNumber }
        let isOfTarget = entry.dropFirst(prefix.count + owner.count).hasPrefix("-\(target.process)")
        guard let process = Int32(owner), isOfTarget, process == getpid() || (kill(process, 0) != 0 && errno == ESRCH) else { continue }
        found = true
        let stem = entry.hasSuffix(".jfr") || entry.hasSuffix(".log") ? String(entry.dropLast(4)) : entry
        remove(stem, in: parent)
      }
    }
    return found
  }
}
