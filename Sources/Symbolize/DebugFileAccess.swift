package import Base

#if canImport(Glibc)
  import Glibc
#else
  import Musl
#endif

/// The file system as the locator sees it: the only way this room touches files, so that a test can stand in for it.
package protocol DebugFileAccess: Sendable {
  /// `nil` when nothing is there or it is no regular file.
  func status(of path: String) -> DebugFileStatus?
  func open(_ path: String) throws(SystemCallError) -> ImageBytes
  /// The same for `path` as a process sees it whose root directory is `root`: links in it lead nowhere else.
  func status(of path: String, below root: String) -> DebugFileStatus?
  func open(_ path: String, below root: String) throws(SystemCallError) -> ImageBytes
  /// - Throws: why `path` is no directory that can be searched.
  func checkDirectory(_ path: String) throws(SystemCallError)
}

extension DebugFileAccess {
  /// Where there are no links.
  package func status(of path: String, below root: String) -> DebugFileStatus? { status(of: root + path) }
  package func open(_ path: String, below root: String) throws(SystemCallError) -> ImageBytes { try open(root + path) }
  /// Any directory will do where there are none.
  package func checkDirectory(_ path: String) throws(SystemCallError) {}
}

package struct DebugFileStatus: Hashable, Sendable {
  package var byteCount: UInt64
  /// Nanoseconds since 1970.
  package var modified: Int64
  package init(byteCount: UInt64, modified: Int64) {
    self.byteCount = byteCount
    self.modified = modified
  }
}

/// This machine's files, mapped.
package struct MappedFileAccess: DebugFileAccess {
  package init() {}

  package func status(of path: String) -> DebugFileStatus? {
    var status = stat()
    guard !path.utf8.contains(0), unsafe stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG,
      let byteCount = UInt64(exactly: status.st_size)
    else { return nil }
    return DebugFileStatus(byteCount: byteCount, modified: Self.modified(status))
  }

  private static func modified(_ status: stat) -> Int64 { nanoseconds(status.st_mtim) }

  private static func nanoseconds(_ time: timespec) -> Int64 { Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec) }

  private static func map(_ file: borrowing OwnedDescriptor, path: String) throws(SystemCallError) -> ImageBytes {
    let status = try file.status(path: path)
    let stamp = FileStamp(
      device: UInt64(status.st_dev), inode: UInt64(status.st_ino), modified: modified(status),
      changed: nanoseconds(status.st_ctim))
    return ImageBytes(try MappedFile(file, path: path), path: path, stamp: stamp)
  }

  package func status(of path: String, below root: String) -> DebugFileStatus? {
    if root.isEmpty { return status(of: path) }
    // Only looked at: opening a device may do something.
    guard let file = try? OwnedDescriptor(open: path, below: root, looksOnly: true), let status = try? file.status(path: path),
      status.st_mode & S_IFMT == S_IFREG, let byteCount = UInt64(exactly: status.st_size)
    else { return nil }
    return DebugFileStatus(byteCount: byteCount, modified: Self.modified(status))
  }

  package func open(_ path: String, below root: String) throws(SystemCallError) -> ImageBytes {
    if root.isEmpty { return try open(path) }
    return try Self.map(try OwnedDescriptor(open: path, below: root), path: root + path)
  }

  package func open(_ path: String) throws(SystemCallError) -> ImageBytes {
    // Opening a pipe must not wait for somebody to write to it.
    try Self.map(try OwnedDescriptor(open: path, O_RDONLY | O_NONBLOCK), path: path)
  }

  package func checkDirectory(_ path: String) throws(SystemCallError) {
    _ = try OwnedDescriptor(open: path, O_RDONLY | O_DIRECTORY)
  }
}
