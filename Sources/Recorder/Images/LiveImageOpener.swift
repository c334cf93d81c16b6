import Base
import Glibc

/// Finds mapped files through `/proc`.
package final class LiveImageOpener: ImageOpener {
  private let root: String
  package init(root: String = "/proc") { self.root = root }

  package func open(process: UInt32, start: UInt64, end: UInt64, path: String, inode: UInt64) -> Int32? {
    // The mapping itself leads to the very file, deleted, replaced or in another mount namespace.
    let range = String(start, radix: 16) + "-" + String(end, radix: 16)
    if let descriptor = openRegular("\(root)/\(process)/map_files/\(range)", inode: nil) { return descriptor }
    // The process may be gone already, or mappings have grown together; then the path must lead to the same inode.
    if let descriptor = openRegular("\(root)/\(process)/root\(path)", inode: inode) { return descriptor }
    return openRegular(path, inode: inode)
  }

  /// `O_PATH` (asm-generic/fcntl.h), which glibc shows only to GNU sources.
  private static let pathOnly: Int32 = 0o10000000

  /// Looks before it opens: a path in another's root can name a device or a pipe, which opening would touch.
  private func openRegular(_ path: String, inode: UInt64?) -> Int32? {
    let peek = unsafe Glibc.open(path, Self.pathOnly | O_CLOEXEC)
    guard peek >= 0 else { return nil }
    defer { _ = close(peek) }
    var status = stat()
    guard unsafe fstat(peek, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
    if let inode, status.st_ino != inode { return nil }
    let descriptor = unsafe Glibc.open("/proc/self/fd/\(peek)", O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    return descriptor >= 0 ? descriptor : nil
  }
}
