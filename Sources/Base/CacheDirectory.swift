#if canImport(Glibc)
  import Glibc
#else
  import Musl
#endif

/// A directory of files that can be made again: each whole or not there (written aside, then renamed), mode 0600, in a directory
/// of mode 0700. The files used longest ago go first when they are too many.
package struct CacheDirectory: Sendable {
  package let path: String
  /// How the names of its files end, with the dot; others are left alone.
  private let suffix: String
  /// Of all files together.
  private let maximumByteCount: UInt64
  /// Of one file.
  private let maximumFileByteCount: Int

  /// Creates the directory where it is missing; its parent must be there.
  /// - Throws: `SystemCallError` when there is no such directory, or one that others can write to: what they put there would be
  ///   believed.
  package init(
    path: String, suffix: String, maximumByteCount: UInt64, maximumFileByteCount: Int
  ) throws(SystemCallError) {
    if unsafe mkdir(path, 0o700) != 0, errno != EEXIST { throw SystemCallError(call: "mkdir", path: path, code: errno) }
    let directory = try OwnedDescriptor(open: path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
    let status = try directory.status(path: path)
    guard status.st_uid == geteuid(), status.st_mode & 0o022 == 0 else {
      throw SystemCallError(call: "open", path: path, code: EPERM)
    }
    self.path = path
    self.suffix = suffix
    self.maximumByteCount = maximumByteCount
    self.maximumFileByteCount = maximumFileByteCount
  }

  /// A file that is read.
  package struct Opened: ~Copyable {
    package let file: OwnedDescriptor
    package let path: String
    package let byteCount: Int
  }

  /// Opens a file for reading; `nil` when it is not there, too long, or not ours.
  package func open(_ name: String) -> Opened? {
    let path = file(name)
    do throws(SystemCallError) {
      let file = try OwnedDescriptor(open: path, O_RDONLY | O_NOFOLLOW)
      let status = try file.status(path: path)
      guard status.st_mode & S_IFMT == S_IFREG, status.st_uid == geteuid(), status.st_size <= maximumFileByteCount else {
        return nil
      }
      return Opened(file: file, path: path, byteCount: Int(status.st_size))
    } catch {
      return nil
    }
  }

  /// Says that an open file was of use: the time of change tells which goes first.
  package func touch(_ file: borrowing OwnedDescriptor) {
    // Without it the order is that of writing.
    _ = futimens(file.rawValue, nil)
  }

  /// Keeps `bytes` and removes what is too much.
  package func keep(_ bytes: RawSpan, as name: String) throws(SystemCallError) {
    guard bytes.byteCount <= maximumFileByteCount, UInt64(bytes.byteCount) <= maximumByteCount else { return }
    let path = file(name)
    // Two processes may keep the same at once: each has a file of its own until it is whole.
    let aside = "\(path).\(getpid()).part"
    do throws(SystemCallError) {
      let file = try OwnedDescriptor(open: aside, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode: 0o600)
      try file.write(bytes, path: aside)
      guard unsafe rename(aside, path) == 0 else { throw SystemCallError(call: "rename", path: aside, code: errno) }
    } catch {
      _ = unsafe unlink(aside)
      throw error
    }
    removeOldest()
  }

  private func file(_ name: String) -> String { "\(path)/\(name)\(suffix)" }

  /// Removes the files used longest ago until the rest are within the limit, and parts that a process left that was killed.
  private func removeOldest() {
    var files: [(name: String, byteCount: UInt64, seconds: Int, nanoseconds: Int)] = []
    var sum: UInt64 = 0
    for name in DirectoryListing.names(in: path) {
      var status = stat()
      guard unsafe lstat("\(path)/\(name)", &status) == 0, status.st_mode & S_IFMT == S_IFREG else { continue }
      let isPart = name.hasSuffix(".part")
      guard name.hasSuffix(suffix) || isPart else { continue }
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
