import Base
import Symbolize

#if canImport(Glibc)
  import Glibc
#else
  import Musl
#endif

/// The cache that every debuginfod client of a user shares, as elfutils lays it out (`debuginfod/debuginfod-client.c`):
/// `BUILDID/debuginfo` and `BUILDID/executable`; a file without permissions, or without bytes, says that no server had it.
///
/// A file appears whole or not at all: it is written beside its place and renamed.
struct DebuginfodCache: Sendable {
  let path: String

  enum Entry: Hashable {
    case file(String)
    /// No server had it so many seconds ago, which is too short a time to ask again.
    case knownMissing(secondsAgo: Int)
    case absent
  }

  /// elfutils' own, for where the file that says otherwise is not there.
  private static let missSeconds = 600
  private static let unusedSeconds = 604_800
  private static let cleanSeconds = 86_400

  func place(_ kind: RemoteFileKind, _ buildID: BuildID) -> String { "\(path)/\(buildID.hex)/\(kind.rawValue)" }

  /// - Parameter now: seconds since 1970.
  func entry(_ kind: RemoteFileKind, _ buildID: BuildID, now: Int) -> Entry {
    let place = place(kind, buildID)
    var status = stat()
    guard unsafe stat(place, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return .absent }
    guard status.st_mode & 0o777 == 0 || status.st_size == 0 else {
      // When it was last used says when it may go; file systems do not always write that down.
      // UTIME_NOW and UTIME_OMIT of utimensat(2).
      let times = [timespec(tv_sec: 0, tv_nsec: (1 << 30) - 1), timespec(tv_sec: 0, tv_nsec: (1 << 30) - 2)]
      // Safe: two times, as the call wants.
      _ = unsafe utimensat(AT_FDCWD, place, times, 0)
      return .file(place)
    }
    let age = max(now - status.st_mtim.tv_sec, 0)
    if age <= setting("cache_miss_s", Self.missSeconds) { return .knownMissing(secondsAgo: age) }
    _ = unsafe unlink(place)
    return .absent
  }

  struct NewFile: ~Copyable {
    let path: String
    let file: OwnedDescriptor
  }

  /// An empty file to write to, which is none of the cache's until `keep`.
  func newFile(_ kind: RemoteFileKind, _ buildID: BuildID) throws(SystemCallError) -> NewFile {
    try makeDirectories("\(path)/\(buildID.hex)")
    // A name that nobody else makes: the next free one of this process.
    for number in 0..<1000 {
      let name = "\(place(kind, buildID)).\(getpid())-\(number)"
      do throws(SystemCallError) {
        return NewFile(path: name, file: try OwnedDescriptor(open: name, O_RDWR | O_CREAT | O_EXCL))
      } catch {
        guard error.code == EEXIST else { throw error }
      }
    }
    throw SystemCallError(call: "open", path: place(kind, buildID), code: EEXIST)
  }

  /// Makes what was written the cache's; others see it from now on.
  func keep(_ written: String, _ kind: RemoteFileKind, _ buildID: BuildID) throws(SystemCallError) -> String {
    let place = place(kind, buildID)
    _ = unsafe chmod(written, 0o400)
    guard unsafe rename(written, place) == 0 else { throw SystemCallError(call: "rename", path: place, code: errno) }
    return place
  }

  func drop(_ written: String) { _ = unsafe unlink(written) }

  /// Remembers that no server has it.
  func noteMissing(_ kind: RemoteFileKind, _ buildID: BuildID) {
    // An unwritable cache is not remembered, that is all.
    guard (try? makeDirectories("\(path)/\(buildID.hex)")) != nil else { return }
    _ = try? OwnedDescriptor(open: place(kind, buildID), O_WRONLY | O_CREAT | O_EXCL, mode: 0)
  }

  /// Removes what nobody used for long, once in a while; as elfutils does, it writes down what "long" is.
  func clean(now: Int) {
    guard (try? makeDirectories(path)) != nil else { return }
    let stamp = path + "/cache_clean_interval_s"
    let interval = setting("cache_clean_interval_s", Self.cleanSeconds)
    var status = stat()
    let isThere = unsafe stat(stamp, &status) == 0
    guard isThere else {
      write(Self.cleanSeconds, to: "cache_clean_interval_s")
      write(Self.unusedSeconds, to: "max_unused_age_s")
      return
    }
    guard now - status.st_mtim.tv_sec > interval else { return }
    _ = unsafe utimensat(AT_FDCWD, stamp, nil, 0)
    let unused = setting("max_unused_age_s", Self.unusedSeconds)
    for folder in DirectoryListing.names(in: path) where BuildID(hex: folder) != nil {
      for name in DirectoryListing.names(in: "\(path)/\(folder)") where Self.isOurs(name) {
        let file = "\(path)/\(folder)/\(name)"
        if unsafe lstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG, now - status.st_atim.tv_sec >= unused {
          _ = unsafe unlink(file)
        }
      }
      // Only when nothing is left in it.
      _ = unsafe rmdir("\(path)/\(folder)")
    }
  }

  private static func isOurs(_ name: String) -> Bool {
    ["debuginfo", "executable", "source", "section", "metadata", "hdr-"].contains { name.hasPrefix($0) }
  }

  private func setting(_ name: String, _ fallback: Int) -> Int {
    guard let bytes = try? contents(of: "\(path)/\(name)", limit: 64) else { return fallback }
    let digits = bytes.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    return Int(String(decoding: digits, as: UTF8.self)) ?? fallback
  }

  private func write(_ number: Int, to name: String) {
    let place = "\(path)/\(name)"
    guard let file = try? OwnedDescriptor(open: place, O_WRONLY | O_CREAT | O_EXCL, mode: 0o644) else { return }
    try? file.write(Array(String(number).utf8).borrowedBytes, path: place)
  }

  private func makeDirectories(_ path: String) throws(SystemCallError) {
    if unsafe mkdir(path, 0o700) == 0 || errno == EEXIST { return }
    guard errno == ENOENT, let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")), slash > path.startIndex else {
      throw SystemCallError(call: "mkdir", path: path, code: errno)
    }
    try makeDirectories(String(path[..<slash]))
    guard unsafe mkdir(path, 0o700) == 0 || errno == EEXIST else { throw SystemCallError(call: "mkdir", path: path, code: errno) }
  }
}
