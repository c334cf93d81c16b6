import Glibc
package import Base

/// What `/proc` says, by names below it (`123/maps`): the live one, or one that was recorded.
package protocol ProcessFileSystem: AnyObject {
  /// The whole text of a file, at most `limit` bytes.
  func read(_ name: String, limit: Int) throws(SystemCallError) -> [UInt8]
  /// The target of a symbolic link.
  func link(_ name: String) throws(SystemCallError) -> String
  /// The names in the directory itself that are numbers: running processes, in ascending order.
  func processes() -> [UInt32]
}

/// The kernel's own `/proc`.
package final class LiveProcessFileSystem: ProcessFileSystem {
  private let root: String

  /// - Parameter root: where the host's `/proc` is mounted.
  package init(root: String = "/proc") { self.root = root }

  package func read(_ name: String, limit: Int) throws(SystemCallError) -> [UInt8] {
    try contents(of: "\(root)/\(name)", limit: limit)
  }

  package func link(_ name: String) throws(SystemCallError) -> String {
    let path = "\(root)/\(name)"
    var code: Int32 = 0
    let target: String? = unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX)) { buffer in
      guard let start = buffer.baseAddress else { return nil }
      // Safe: at most the buffer's capacity is written, and what was written is read.
      let count = unsafe readlink(path, start, buffer.count)
      code = errno
      guard count >= 0 else { return nil }
      return unsafe String(decoding: UnsafeRawBufferPointer(start: start, count: count), as: UTF8.self)
    }
    guard let target else { throw SystemCallError(call: "readlink", path: path, code: code) }
    return target
  }

  package func processes() -> [UInt32] {
    DirectoryListing.names(in: root).compactMap { UInt32($0) }.sorted()
  }
}
