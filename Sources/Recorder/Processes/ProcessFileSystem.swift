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
    var count = 0
    var code: Int32 = 0
    let bytes = unsafe [UInt8](unsafeUninitializedCapacity: Int(PATH_MAX)) { buffer, filled in
      // Safe: at most the buffer's capacity is written.
      let got = unsafe buffer.withMemoryRebound(to: CChar.self) { text in
        guard let start = text.baseAddress else { return -1 }
        return unsafe readlink(path, start, text.count)
      }
      if got < 0 { code = errno }
      filled = max(got, 0)
      count = got
    }
    guard count >= 0 else { throw SystemCallError(call: "readlink", path: path, code: code) }
    return String(decoding: bytes, as: UTF8.self)
  }

  package func processes() -> [UInt32] {
    DirectoryListing.names(in: root).compactMap { UInt32($0) }.sorted()
  }
}
