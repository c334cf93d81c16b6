#if canImport(Glibc)
  import Glibc
#else
  import Musl
#endif

/// The time, and waiting for it to pass; a test has its own.
package protocol UploadClock: Sendable {
  /// Nanoseconds since 1970.
  func unixNanoseconds() -> Int64
  func monotonicNanoseconds() -> UInt64
  func sleep(nanoseconds: UInt64)
}

/// The machine's clocks.
package struct SystemClock: UploadClock {
  package init() {}

  private func read(_ clock: clockid_t) -> timespec {
    var time = timespec()
    _ = unsafe clock_gettime(clock, &time)
    return time
  }

  package func unixNanoseconds() -> Int64 {
    let time = read(CLOCK_REALTIME)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }

  package func monotonicNanoseconds() -> UInt64 {
    let time = read(CLOCK_MONOTONIC)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }

  package func sleep(nanoseconds: UInt64) {
    var rest = timespec(tv_sec: Int(nanoseconds / 1_000_000_000), tv_nsec: Int(nanoseconds % 1_000_000_000))
    while true {
      var left = timespec()
      guard unsafe nanosleep(&rest, &left) != 0, errno == EINTR else { return }
      rest = left
    }
  }
}
