package import Base
import CAttach
import Glibc

/// The files of a process that is not trusted, as it sees them: no link leads out of its root, and what is read is a file of
/// its own user.
package struct TargetFiles: Sendable {
  package let process: UInt32
  package let user: UInt32

  package init(process: UInt32, user: UInt32) {
    self.process = process
    self.user = user
  }

  package var root: String { "/proc/\(process)/root" }

  package func directory(_ path: String) throws(SystemCallError) -> TargetDirectory {
    try TargetDirectory(root: root, path: path)
  }

  /// The directory the process works in.
  package func workingDirectory() throws(SystemCallError) -> TargetDirectory {
    try TargetDirectory(root: "/proc/\(process)/cwd", path: ".")
  }

  /// The whole of a regular file that belongs to the process's user.
  /// - Throws: `EFBIG` beyond `limit` bytes, `EPERM` when it is somebody else's.
  package func read(_ path: String, limit: Int) throws(SystemCallError) -> [UInt8] {
    let file = try open(path)
    let status = try file.status(path: path)
    guard status.st_size <= limit else { throw SystemCallError(call: "read", path: path, code: EFBIG) }
    return try file.read(at: 0, count: Int(status.st_size), path: path)
  }

  /// A regular file that belongs to the process's user, or to root.
  package func open(_ path: String) throws(SystemCallError) -> OwnedDescriptor {
    let file = try OwnedDescriptor(open: path, below: root)
    let status = try file.status(path: path)
    guard status.st_mode & S_IFMT == S_IFREG else { throw SystemCallError(call: "open", path: path, code: EINVAL) }
    guard status.st_uid == user || status.st_uid == 0 else { throw SystemCallError(call: "open", path: path, code: EPERM) }
    return file
  }

  /// A regular file of its user, to write into.
  func openToWrite(_ path: String) throws(SystemCallError) -> OwnedDescriptor {
    let cut = path.lastIndex(of: "/") ?? path.startIndex
    let file = try directory(cut == path.startIndex ? "/" : String(path[..<cut])).openToWrite(String(path[path.index(after: cut)...]))
    let status = try file.status(path: path)
    guard status.st_mode & S_IFMT == S_IFREG, status.st_uid == user else { throw SystemCallError(call: "open", path: path, code: EPERM) }
    return file
  }

  package func remove(_ path: String) throws(SystemCallError) {
    let cut = path.lastIndex(of: "/") ?? path.startIndex
    let folder = try directory(cut == path.startIndex ? "/" : String(path[..<cut]))
    try folder.remove(String(path[path.index(after: cut)...]))
  }
}

/// A directory of such a process, held open, so that nobody can put another in its place.
package struct TargetDirectory: ~Copyable {
  private let descriptor: OwnedDescriptor
  package let path: String
  var rawDescriptor: Int32 { descriptor.rawValue }

  init(root: String, path: String) throws(SystemCallError) {
    // Safe: the two texts end with a NUL and are read during the call only.
    let opened = unsafe pyrorec_directory_below(root, path)
    guard opened >= 0 else { throw SystemCallError(call: "open", path: root + path, code: errno) }
    descriptor = OwnedDescriptor(owning: opened)
    self.path = path
  }

  private init(_ descriptor: consuming OwnedDescriptor, path: String) {
    self.descriptor = descriptor
    self.path = path
  }

  private func error(_ call: String, _ name: String) -> SystemCallError {
    SystemCallError(call: call, path: path + "/" + name, code: errno)
  }

  /// Sorted; empty when it cannot be read.
  package func names() -> [String] { DirectoryListing.names(in: "/proc/self/fd/\(descriptor.rawValue)") }

  /// - Parameter looksOnly: opens nothing but the place, whatever is there.
  package func open(_ name: String, looksOnly: Bool = false) throws(SystemCallError) -> OwnedDescriptor {
    let file = unsafe pyrorec_open_in(descriptor.rawValue, name, looksOnly)
    guard file >= 0 else { throw error("open", name) }
    return OwnedDescriptor(owning: file)
  }

  func openToWrite(_ name: String) throws(SystemCallError) -> OwnedDescriptor {
    let file = unsafe pyrorec_open_to_write_in(descriptor.rawValue, name)
    guard file >= 0 else { throw error("open", name) }
    return OwnedDescriptor(owning: file)
  }

  /// A new file, which is the process's own where it may be.
  package func create(_ name: String, mode: UInt32, user: UInt32, group: UInt32) throws(SystemCallError) -> OwnedDescriptor {
    let file = unsafe pyrorec_create_in(descriptor.rawValue, name, mode, user, group)
    guard file >= 0 else { throw error("create", name) }
    return OwnedDescriptor(owning: file)
  }

  /// A new directory that only we can change.
  package func makeDirectory(_ name: String) throws(SystemCallError) -> TargetDirectory {
    guard unsafe pyrorec_make_directory_in(descriptor.rawValue, name) == 0 else { throw error("mkdir", name) }
    return try directory(name)
  }

  /// A directory in this one; not a link to one.
  package func directory(_ name: String) throws(SystemCallError) -> TargetDirectory {
    let opened = unsafe pyrorec_directory_in(descriptor.rawValue, name)
    guard opened >= 0 else { throw error("open", name) }
    return TargetDirectory(OwnedDescriptor(owning: opened), path: path + "/" + name)
  }

  package func removeDirectory(_ name: String) throws(SystemCallError) {
    guard unsafe pyrorec_remove_directory_in(descriptor.rawValue, name) == 0 else { throw error("rmdir", name) }
  }

  package func remove(_ name: String) throws(SystemCallError) {
    guard unsafe pyrorec_remove_in(descriptor.rawValue, name) == 0 else { throw error("unlink", name) }
  }
}
