import Base
import Symbolize

/// A file system of a few files, in memory.
struct FakeFiles: DebugFileAccess {
  struct File {
    var bytes: [UInt8]
    var modified: Int64 = 1
    var isReadable = true
  }
  var files: [String: File] = [:]

  func status(of path: String) -> DebugFileStatus? {
    files[path].map { DebugFileStatus(byteCount: UInt64($0.bytes.count), modified: $0.modified) }
  }

  func checkDirectory(_ path: String) throws(SystemCallError) {
    guard files.keys.contains(where: { $0.hasPrefix(path + "/") }) else { throw SystemCallError(call: "open", path: path, code: 2) }
  }

  func open(_ path: String) throws(SystemCallError) -> ImageBytes {
    guard let file = files[path], file.isReadable else { throw SystemCallError(call: "open", path: path, code: 13) }
    do throws(SymbolizeError) {
      return try ImageBytes(file.bytes)
    } catch {
      throw SystemCallError(call: "mmap", path: path, code: 12)
    }
  }
}
