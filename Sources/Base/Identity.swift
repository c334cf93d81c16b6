/// A process as the root PID namespace numbers it (`tgid` in the kernel's words).
@frozen public struct ProcessID: Hashable, Comparable, Sendable {
  public let rawValue: UInt32
  @inlinable public init(_ rawValue: UInt32) { self.rawValue = rawValue }
  @inlinable public static func < (lhs: Self, rhs: Self) -> Bool { lhs.rawValue < rhs.rawValue }
}

/// A thread as the root PID namespace numbers it (`pid` in the kernel's words).
@frozen public struct ThreadID: Hashable, Comparable, Sendable {
  public let rawValue: UInt32
  @inlinable public init(_ rawValue: UInt32) { self.rawValue = rawValue }
  @inlinable public static func < (lhs: Self, rhs: Self) -> Bool { lhs.rawValue < rhs.rawValue }
}

extension ProcessID: CustomStringConvertible { public var description: String { String(rawValue) } }
extension ThreadID: CustomStringConvertible { public var description: String { String(rawValue) } }

/// One life of one PID: numbers are reused, a number with its start time is not.
public struct ProcessIdentity: Hashable, Comparable, Sendable {
  public let pid: ProcessID
  /// Nanoseconds of `CLOCK_BOOTTIME`; only as exact as the 10 ms ticks of `/proc/PID/stat` when it came from there.
  public let startNanoseconds: UInt64

  public init(pid: ProcessID, startNanoseconds: UInt64) {
    self.pid = pid
    self.startNanoseconds = startNanoseconds
  }

  public static func < (lhs: Self, rhs: Self) -> Bool {
    (lhs.pid, lhs.startNanoseconds) < (rhs.pid, rhs.startNanoseconds)
  }
}
