import Base
package import Glibc

/// A new, empty directory that goes away with the value, with all that is in it.
package final class ScratchDirectory: Sendable {
  package let path: String

  /// - Parameter mode: of the directory; the default lets nobody else in.
  package init(mode: mode_t = 0o700) throws {
    var template = Array("\(Command.environmentValue("TMPDIR") ?? "/tmp")/pyrorec-test.XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else {
      throw SystemCallError(
        call: "mkdtemp", path: String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self), code: errno)
    }
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    chmod(path, mode)
  }

  deinit { Self.remove(path) }

  /// Removes `path` and, when it is a directory, what is in it; symbolic links are not followed.
  private static func remove(_ path: String) {
    if unlink(path) == 0 { return }
    guard let directory = opendir(path) else { return }
    var names: [String] = []
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
        pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != "." && name != ".." { names.append(name) }
    }
    closedir(directory)
    for name in names { remove(path + "/" + name) }
    rmdir(path)
  }

  /// Writes `bytes` to the file `name` in here and gives its whole path.
  @discardableResult package func write(_ bytes: [UInt8], to name: String) throws -> String {
    let file = try OwnedDescriptor(open: "\(path)/\(name)", O_WRONLY | O_CREAT | O_TRUNC)
    try file.write(bytes.span.bytes, path: name)
    return "\(path)/\(name)"
  }
}
