/// Nanoseconds of `CLOCK_MONOTONIC`: the clock samples and perf records are stamped with.
@frozen public struct MonotonicInstant: Hashable, Comparable, Sendable {
  public let nanoseconds: UInt64
  @inlinable public init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }
  @inlinable public static func < (lhs: Self, rhs: Self) -> Bool { lhs.nanoseconds < rhs.nanoseconds }
}

/// Nanoseconds since 1970-01-01T00:00:00Z.
@frozen public struct UnixInstant: Hashable, Comparable, Sendable {
  public let nanoseconds: Int64
  @inlinable public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }
  @inlinable public static func < (lhs: Self, rhs: Self) -> Bool { lhs.nanoseconds < rhs.nanoseconds }
}

/// The same moment on both clocks, so that offline stages turn one into the other without a clock.
public struct ClockAnchor: Hashable, Sendable {
  public let monotonic: MonotonicInstant
  public let unix: UnixInstant
  /// `CLOCK_BOOTTIME` at the same moment, which process start times are counted in.
  public let bootNanoseconds: UInt64

  public init(monotonic: MonotonicInstant, unix: UnixInstant, bootNanoseconds: UInt64) {
    self.monotonic = monotonic
    self.unix = unix
    self.bootNanoseconds = bootNanoseconds
  }

  public func unix(at instant: MonotonicInstant) -> UnixInstant {
    let since = Int64(bitPattern: instant.nanoseconds &- monotonic.nanoseconds)
    return UnixInstant(nanoseconds: unix.nanoseconds &+ since)
  }
}
