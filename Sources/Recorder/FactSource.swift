package import TraceFormat

/// Somebody beside the recorder who learns things while it records that belong into the trace.
package protocol FactSource: Sendable {
  /// What is new since the last call; asked for about once a second, and must not wait, except for the last time.
  /// - Parameter time: now, in nanoseconds of CLOCK_MONOTONIC.
  func take(time: UInt64, isLast: Bool) -> [TraceRecord]
}
