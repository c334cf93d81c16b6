package import Base
import Glibc
package import Unwind

/// Unwind tables kept on disk, so that a second recording starts with them.
///
/// Files are whole or not there (written aside, then renamed), mode 0600, in a directory of mode 0700. One that is damaged, of
/// another version or another file is as good as missing. The files used longest ago go first when they are too many.
package struct TableCacheDirectory: Sendable {
  /// Of all files together.
  package static let maximumByteCount: UInt64 = 256 << 20
  /// A table of more rows than a 64 MiB budget holds is not worth its file.
  static let maximumFileByteCount = 96 << 20
  private static let suffix = ".rows"

  package let path: String
  private let maximumByteCount: UInt64

  /// Creates the directory where it is missing; its parent must be there.
  /// - Throws: `SystemCallError` when there is no such directory, or one that others can write to.
  package init(path: String, maximumByteCount: UInt64 = maximumByteCount) throws(SystemCallError) {
    if unsafe mkdir(path, 0o700) != 0, errno != EEXIST { throw SystemCallError(call: "mkdir", path: path, code: errno) }
    let directory = try OwnedDescriptor(open: path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
    let status = try directory.status(path: path)
    // Tables of others would put frames of theirs into our stacks.
    guard status.st_uid == geteuid(), status.st_mode & 0o022 == 0 else {
      throw SystemCallError(call: "open", path: path, code: EPERM)
    }
    self.path = path
    self.maximumByteCount = maximumByteCount
  }

  /// The table kept under `key`; `nil` when there is none that can be believed.
  package func table(of key: UnwindTableKey) -> UnwindTable? {
    let name = file(key)
    do throws(SystemCallError) {
      let file = try OwnedDescriptor(open: name, O_RDONLY | O_NOFOLLOW)
      let status = try file.status(path: name)
      guard status.st_mode & S_IFMT == S_IFREG, status.st_uid == geteuid(), status.st_size <= Self.maximumFileByteCount else {
        return nil
      }
      // Mapped, because what is taken out of it is all that is needed of it; kept files are replaced, never changed.
      let bytes = try MappedFile(file, path: name)
      guard let table = UnwindTableCache.decode(bytes.bytes, key) else { return nil }
      // Used now: the time of change tells which goes first. Without it the order is that of writing.
      _ = futimens(file.rawValue, nil)
      return table
    } catch {
      return nil
    }
  }

  /// Keeps `table`, and removes what is too much.
  package func keep(_ table: UnwindTable, of key: UnwindTableKey) throws(SystemCallError) {
    let bytes = UnwindTableCache.encode(table, key)
    guard bytes.count <= Self.maximumFileByteCount, UInt64(bytes.count) <= maximumByteCount else { return }
    let name = file(key)
    // Two recordings may keep the same table at once: each has a file of its own until it is whole.
    let aside = "\(name).\(getpid()).part"
    do throws(SystemCallError) {
      let file = try OwnedDescriptor(open: aside, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode: 0o600)
      try file.write(bytes.borrowedBytes, path: aside)
      guard unsafe rename(aside, name) == 0 else { throw SystemCallError(call: "rename", path: aside, code: errno) }
    } catch {
      _ = unsafe unlink(aside)
      throw error
    }
    removeOldest()
  }

  private func file(_ key: UnwindTableKey) -> String { "\(path)/\(key.name)\(Self.suffix)" }

  /// Removes the files used longest ago until the rest are within the limit, and parts that a recording left that was killed.
  private func removeOldest() {
    var files: [(name: String, byteCount: UInt64, seconds: Int, nanoseconds: Int)] = []
    var sum: UInt64 = 0
    for name in DirectoryListing.names(in: path) {
      var status = stat()
      guard unsafe lstat("\(path)/\(name)", &status) == 0, status.st_mode & S_IFMT == S_IFREG else { continue }
      let isPart = name.hasSuffix(".part")
      guard name.hasSuffix(Self.suffix) || isPart else { continue }
      if isPart {
        let age = time(nil) - status.st_mtim.tv_sec
        if age > 3600 { _ = unsafe unlink("\(path)/\(name)") }
        continue
      }
      files.append((name, UInt64(max(status.st_size, 0)), status.st_mtim.tv_sec, status.st_mtim.tv_nsec))
      sum += UInt64(max(status.st_size, 0))
    }
    files.sort { ($0.seconds, $0.nanoseconds, $0.name) < ($1.seconds, $1.nanoseconds, $1.name) }
    for file in files where sum > maximumByteCount {
      if unsafe unlink("\(path)/\(file.name)") == 0 { sum -= file.byteCount }
    }
  }
}
