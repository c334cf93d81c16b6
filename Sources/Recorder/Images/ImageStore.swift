package import Base
import Glibc

/// Copies of images in a directory, each once for all segments that are recorded beside it: a sparse file of the image's size
/// that holds what a segment would.
///
/// A file is whole or not there: it is written aside and renamed. Each use is noted in its time of modification, so that
/// whoever keeps the directory small knows what is not needed any more.
package final class ImageStore: Sendable {
  package static let temporarySuffix = ".tmp"
  package let directory: String

  /// - Throws: when the directory is not there and cannot be made.
  package init(directory: String) throws(SystemCallError) {
    self.directory = directory
    // Safe: the string outlives the call.
    if unsafe mkdir(directory, 0o700) != 0, errno != EEXIST {
      throw SystemCallError(call: "mkdir", path: directory, code: errno)
    }
  }

  /// Where the copy of an image lies: by its build ID, or by what tells the file from others of this machine.
  package func path(
    buildID: BuildID?, byteCount: UInt64, device: UInt64, inode: UInt64, modified: Int64
  ) -> String {
    let name = buildID.map(\.hex) ?? "\(device)-\(inode)-\(modified)"
    return "\(directory)/\(name)-\(byteCount)"
  }

  /// Whether the copy is there; then it stays for a while.
  func use(_ path: String) -> Bool {
    // Safe: the string outlives the call; without times it is now.
    unsafe utimensat(AT_FDCWD, path, nil, 0) == 0
  }

  /// A copy that is being written.
  struct Writer: ~Copyable {
    private let file: OwnedDescriptor
    private let path: String

    fileprivate init(_ path: String, byteCount: UInt64) throws(SystemCallError) {
      let created = try OwnedDescriptor(open: path + ImageStore.temporarySuffix, O_RDWR | O_CREAT | O_TRUNC)
      guard ftruncate(created.rawValue, off_t(clamping: byteCount)) == 0 else {
        throw SystemCallError(call: "ftruncate", path: path, code: errno)
      }
      file = created
      self.path = path
    }

    func write(_ bytes: [UInt8], at offset: UInt64) throws(SystemCallError) {
      var done = 0
      while done < bytes.count {
        let put = retryingOnInterrupt {
          // Safe: the pointer is used only inside the closure, and `done` is below the count.
          unsafe bytes.withUnsafeBytes {
            unsafe pwrite(file.rawValue, $0.baseAddress?.advanced(by: done), bytes.count - done, off_t(clamping: offset) + off_t(done))
          }
        }
        guard put > 0 else { throw SystemCallError(call: "write", path: path, code: put == 0 ? ENOSPC : errno) }
        done += put
      }
    }

    /// Gives the copy its name.
    func finish() throws(SystemCallError) {
      // Safe: both strings outlive the call.
      guard unsafe rename(path + ImageStore.temporarySuffix, path) == 0 else {
        throw SystemCallError(call: "rename", path: path, code: errno)
      }
    }
  }

  /// Takes back what was written of a copy.
  func discard(_ path: String) {
    // Safe: the string outlives the call.
    _ = unsafe unlink(path + Self.temporarySuffix)
  }

  func writer(_ path: String, byteCount: UInt64) throws(SystemCallError) -> Writer { try Writer(path, byteCount: byteCount) }
}
