import Dispatch
import Glibc
import Recorder
import Synchronization
import Uploader

/// Holds the spool to its limits, and says what had to go.
final class SpoolKeeper: Sendable {
  /// What a full disk is given back at least.
  private static let minimumRoom: UInt64 = 16 << 20

  private let spool: Spool
  private let windows: WindowQueue
  private let metrics: Metrics
  private let limits: SpoolLimits
  private let log: @Sendable (AgentMessage) -> Void
  private let clock = SystemClock()
  /// How long a disk may be full before windows are given up for the next ones: others make room, too.
  private static let patience: UInt64 = 30_000_000_000
  /// Who finds the disk full says so at least this often.
  private static let pause: UInt64 = 5_000_000_000
  private let queue = DispatchQueue(label: "pyrorec.room", qos: .utility)
  private let full = Mutex(Fullness())
  private struct Fullness {
    var since: UInt64 = 0
    var last: UInt64 = 0
    var isAtWork = false
  }

  init(
    _ spool: Spool, _ windows: WindowQueue, _ metrics: Metrics, _ limits: SpoolLimits,
    _ log: @escaping @Sendable (AgentMessage) -> Void
  ) {
    self.spool = spool
    self.windows = windows
    self.metrics = metrics
    self.limits = limits
    self.log = log
  }

  func enforceLimits() {
    drop(limits, "the spool's limits were reached")
    spool.enforceImages(byteCount: limits.byteCount / 4)
    let entries = spool.entries()
    metrics.set("pyrorec_spool_bytes", Double(entries.reduce(0) { $0 &+ $1.byteCount }))
    metrics.set("pyrorec_spool_windows", Double(windows.count))
    metrics.set("pyrorec_spool_batches", Double(spool.batchNames().count))
  }

  /// The disk is full, and so many bytes wait in memory for it: copies of files go at once, windows when that lasts or when
  /// much waits. Returns at once.
  func makeRoom(waiting byteCount: Int) {
    let now = clock.monotonicNanoseconds()
    let (isNew, isLong, isAtWork) = full.withLock { full in
      let isNew = full.last == 0 || now &- full.last > Self.pause
      if isNew { full.since = now }
      full.last = now
      defer { full.isAtWork = true }
      return (isNew, now &- full.since >= Self.patience || byteCount > RecordingWindows.patience / 2, full.isAtWork)
    }
    if isNew { log(.warning("\(spool.path): No space left on device; what is recorded waits in memory meanwhile")) }
    if isAtWork { return }
    queue.async { [self] in
      if isLong { makeRoom() } else { spool.enforceImages(byteCount: 0) }
      full.withLock { $0.isAtWork = false }
    }
  }

  /// The disk is full: the oldest goes, a quarter of it, so that the newest has room.
  func makeRoom() {
    let total = spool.entries().reduce(UInt64(0)) { $0 &+ $1.byteCount }
    let wanted = max(Self.minimumRoom, total / 4)
    guard !hasRoom(wanted) else { return }
    // Copies can be made again as long as the files are there; what was recorded cannot.
    spool.enforceImages(byteCount: 0)
    guard !hasRoom(wanted) else { return }
    drop(SpoolLimits(byteCount: total > wanted ? total - wanted : 0, ageNanoseconds: .max), "the disk is full")
  }

  private func drop(_ limits: SpoolLimits, _ why: String) {
    let dropped = spool.enforce(limits, now: clock.unixNanoseconds()) { [windows] in $0.hasSuffix(".part") || windows.contains($0) }
    guard !dropped.isEmpty else { return }
    metrics.add("pyrorec_spool_dropped_windows_total", Double(dropped.count))
    log(.warning("\(why): the \(dropped.count) oldest windows were given up"))
  }

  private func hasRoom(_ byteCount: UInt64) -> Bool {
    var status = statvfs()
    // Safe: the string outlives the call, and the structure is a local.
    guard unsafe statvfs(spool.path, &status) == 0 else { return true }
    return UInt64(status.f_bavail) &* UInt64(status.f_frsize) >= byteCount
  }
}
