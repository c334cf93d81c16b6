import Base
import Glibc
import Recorder
import Synchronization
import Uploader

/// The directory of what was recorded and not delivered yet.
///
///     windows/TIME.seg[.part]     recorded windows, until their profiles are made
///     images/NAME                 copies of the files that ran, once for all windows (`ImageStore`)
///     profiles/TIME.pb            the profiles of a window, until every endpoint has them
///     profiles/TIME.pb.KEY.upload what endpoint KEY has of them
///
/// TIME is when the window began, in nanoseconds since 1970, 20 digits: names in order are windows in order.
package final class Spool: Sendable {
  static let batchSuffix = ".pb"
  private static let temporarySuffix = ".tmp"

  package let path: String
  private let lock: OwnedDescriptor
  private let batches = Mutex<[String]>([])
  private let counter = Mutex<Int64>(0)

  /// - Throws: `AgentError.spoolInUse` when another agent has it.
  package init(_ path: String) throws(AgentError) {
    self.path = path
    do throws(SystemCallError) {
      for directory in [path, path + "/windows", path + "/profiles"] { try Self.makeDirectories(directory) }
      lock = try OwnedDescriptor(open: path + "/lock", O_RDWR | O_CREAT)
    } catch { throw .spool(error) }
    let raw = lock.rawValue
    guard retryingOnInterrupt({ flock(raw, LOCK_EX | LOCK_NB) }) == 0 else { throw .spoolInUse(path) }
    var names: [String] = []
    for name in DirectoryListing.names(in: path + "/profiles") {
      if name.hasSuffix(Self.temporarySuffix) { Self.remove(profiles + name) }
      if name.hasSuffix(Self.batchSuffix) { names.append(name) }
    }
    // What endpoints have of a batch that is gone.
    for name in DirectoryListing.names(in: path + "/profiles") where name.hasSuffix(UploadJournal.suffix) {
      if !names.contains(where: { name.hasPrefix($0 + ".") }) { Self.remove(profiles + name) }
    }
    batches.withLock { $0 = names }
    // An agent was killed between the two: the profiles of that window are made.
    for window in leftWindows() where names.contains(Self.batchName(of: window)) { Self.remove(window) }
    for name in DirectoryListing.names(in: imageDirectory) where name.hasSuffix(ImageStore.temporarySuffix) {
      Self.remove("\(imageDirectory)/\(name)")
    }
  }

  private static func makeDirectories(_ path: String) throws(SystemCallError) {
    var made = ""
    if !path.hasPrefix("/") { made = "." }
    for part in path.split(separator: "/") {
      made += "/" + part
      // Safe: the string outlives the call.
      if unsafe mkdir(made, 0o700) != 0, errno != EEXIST { throw SystemCallError(call: "mkdir", path: made, code: errno) }
    }
  }

  private static func remove(_ path: String) {
    // Safe: the string outlives the call. What is gone already is as well.
    _ = unsafe unlink(path)
  }

  private var profiles: String { path + "/profiles/" }

  // MARK: Windows

  /// Where a window that begins at `time` (Unix nanoseconds) is recorded. Never the same twice.
  func windowPath(_ time: Int64) -> String {
    let unique = counter.withLock { last in
      last = max(last + 1, time)
      return last
    }
    return "\(path)/windows/\(Self.digits(unique)).seg"
  }

  private static func digits(_ time: Int64) -> String {
    let text = String(max(time, 0))
    return String(repeating: "0", count: max(0, 20 - text.count)) + text
  }

  /// Windows that an earlier agent left, oldest first, unfinished ones among them.
  func leftWindows() -> [String] {
    DirectoryListing.names(in: path + "/windows").filter { $0.hasSuffix(".seg") || $0.hasSuffix(".seg.part") }
      .map { "\(path)/windows/\($0)" }
  }

  func removeWindow(_ window: String) { Self.remove(window) }

  // MARK: Batches

  private static func batchName(of window: String) -> String {
    (window.split(separator: "/").last ?? "window").prefix { $0 != "." } + batchSuffix
  }

  /// Puts the profiles of a window there for the endpoints, and then takes the window away.
  func add(_ batch: ProfileBatch, of window: String) throws(SystemCallError) {
    if !batch.items.isEmpty {
      let name = Self.batchName(of: window)
      let temporary = profiles + name + Self.temporarySuffix
      do throws(SystemCallError) {
        let file = try OwnedDescriptor(open: temporary, O_WRONLY | O_CREAT | O_TRUNC)
        try file.write(batch.encoded().borrowedBytes, path: temporary)
        guard fsync(file.rawValue) == 0 else { throw SystemCallError(call: "fsync", path: temporary, code: errno) }
        // Safe: both strings outlive the call.
        guard unsafe rename(temporary, profiles + name) == 0 else {
          throw SystemCallError(call: "rename", path: temporary, code: errno)
        }
      } catch {
        Self.remove(temporary)
        throw error
      }
      batches.withLock { names in
        if !names.contains(name) { names = (names + [name]).sorted() }
      }
    }
    removeWindow(window)
  }

  /// In order of time.
  func batchNames() -> [String] { batches.withLock { $0 } }

  func batchPath(_ name: String) -> String { profiles + name }

  func load(_ name: String) throws -> ProfileBatch {
    let bytes = try contents(of: profiles + name, limit: ProfileBatch.maximumBytes)
    return try ProfileBatch(bytes, source: name)
  }

  /// What endpoint `key` has of a batch.
  func journal(_ name: String, of key: String) throws(UploadError) -> UploadJournal {
    try UploadJournal(besides: "\(profiles)\(name).\(key)")
  }

  /// Takes a batch away, and what is remembered of it.
  func removeBatch(_ name: String) {
    batches.withLock { $0.removeAll { $0 == name } }
    Self.remove(profiles + name)
    for other in DirectoryListing.names(in: path + "/profiles") where other.hasPrefix(name + ".") { Self.remove(profiles + other) }
  }

  // MARK: Images

  var imageDirectory: String { path + "/images" }

  /// Takes away the copies that were not needed for longest, until the rest takes at most so many bytes, and what was being
  /// written when an agent was killed.
  func enforceImages(byteCount limit: UInt64) {
    var files: [(path: String, used: Int64, byteCount: UInt64)] = []
    for name in DirectoryListing.names(in: imageDirectory) where !name.hasSuffix(ImageStore.temporarySuffix) {
      var status = stat()
      let file = "\(imageDirectory)/\(name)"
      // Safe: the string outlives the call, and the structure is a local.
      guard unsafe stat(file, &status) == 0 else { continue }
      let used = Int64(status.st_mtim.tv_sec) * 1_000_000_000 + Int64(status.st_mtim.tv_nsec)
      files.append((file, used, UInt64(max(0, status.st_blocks)) &* 512))
    }
    var total = files.reduce(UInt64(0)) { $0 &+ $1.byteCount }
    for file in files.sorted(by: { ($0.used, $0.path) < ($1.used, $1.path) }) where total > limit {
      Self.remove(file.path)
      total -= min(total, file.byteCount)
    }
  }

  // MARK: Limits

  /// All files that count, oldest first.
  func entries() -> [SpoolEntry] {
    var entries: [SpoolEntry] = []
    for (directory, isWindow) in [("windows", true), ("profiles", false)] {
      for name in DirectoryListing.names(in: "\(path)/\(directory)") {
        var status = stat()
        // Safe: the string outlives the call, and the structure is a local.
        guard unsafe stat("\(path)/\(directory)/\(name)", &status) == 0 else { continue }
        let time = Int64(name.prefix { $0.isNumber }) ?? 0
        entries.append(
          SpoolEntry(name: name, isWindow: isWindow, beginNanoseconds: time, byteCount: UInt64(max(0, status.st_blocks)) &* 512))
      }
    }
    return entries.sorted { ($0.beginNanoseconds, $0.name) < ($1.beginNanoseconds, $1.name) }
  }

  /// Takes away what is over the limits: the oldest first, never the window that is being recorded.
  func enforce(_ limits: SpoolLimits, now: Int64, isBeingWritten: (String) -> Bool) -> [SpoolEntry] {
    let dropped = limits.excess(entries(), now: now).filter { !isBeingWritten("\(path)/windows/\($0.name)") }
    for entry in dropped {
      if entry.isWindow { removeWindow("\(path)/windows/\(entry.name)") } else { removeBatch(entry.name) }
    }
    return dropped
  }
}

/// A file of the spool.
package struct SpoolEntry: Hashable, Sendable {
  package var name: String
  package var isWindow: Bool
  /// When its window began; nanoseconds since 1970.
  package var beginNanoseconds: Int64
  /// On the disk.
  package var byteCount: UInt64
  package init(name: String, isWindow: Bool, beginNanoseconds: Int64, byteCount: UInt64) {
    self.name = name
    self.isWindow = isWindow
    self.beginNanoseconds = beginNanoseconds
    self.byteCount = byteCount
  }
}

/// How much may wait in a spool, and how long.
package struct SpoolLimits: Hashable, Sendable {
  package var byteCount: UInt64
  package var ageNanoseconds: UInt64
  package init(byteCount: UInt64, ageNanoseconds: UInt64) {
    self.byteCount = byteCount
    self.ageNanoseconds = ageNanoseconds
  }

  /// Which of `entries` (oldest first) have to go: those that are too old, then the oldest until the rest fits. Notes of
  /// deliveries go with their batch and are never in the answer.
  package func excess(_ entries: [SpoolEntry], now: Int64) -> [SpoolEntry] {
    var total = entries.reduce(UInt64(0)) { $0 &+ $1.byteCount }
    var gone: [SpoolEntry] = []
    for entry in entries where !entry.name.hasSuffix(UploadJournal.suffix) {
      let age = now > entry.beginNanoseconds ? UInt64(now - entry.beginNanoseconds) : 0
      guard total > byteCount || age > ageNanoseconds else { continue }
      total -= min(total, entry.byteCount)
      gone.append(entry)
    }
    return gone
  }
}
