import Glibc
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
