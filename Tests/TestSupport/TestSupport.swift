import Base
#if canImport(Glibc)
  import Glibc
#else
  import Musl
#endif

/// A directory of a test's own, removed with everything in it when the value goes away.
package final class TemporaryDirectory: Sendable {
  package let path: String

  package init() {
    var template = Array("/tmp/pyrorec-test-XXXXXX".utf8CString)
    path = template.withUnsafeMutableBufferPointer { buffer in
      guard let base = buffer.baseAddress, mkdtemp(base) != nil else { return "/tmp" }
      return String(cString: base)
    }
  }

  package func file(_ name: String) -> String { "\(path)/\(name)" }

  deinit { if path != "/tmp" { Self.remove(path) } }

  private static func remove(_ path: String) {
    if let directory = opendir(path) {
      while let entry = readdir(directory) {
        let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
          String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        if name == "." || name == ".." { continue }
        var status = stat()
        let full = "\(path)/\(name)"
        if lstat(full, &status) == 0, status.st_mode & S_IFMT == S_IFDIR { remove(full) } else { unlink(full) }
      }
      closedir(directory)
    }
    rmdir(path)
  }
}

/// Writes `bytes` as the whole file at `path`.
package func write(_ bytes: [UInt8], to path: String) throws {
  let file = try OwnedDescriptor(open: path, O_WRONLY | O_CREAT | O_TRUNC)
  try file.write(bytes.borrowedBytes, path: path)
}

/// Every byte of the file at `path`.
package func bytes(of path: String) throws -> [UInt8] { try contents(of: path, limit: 1 << 30) }
