/// What of a JVM is to be recorded, whichever engine does it.
package struct JavaRequest: Hashable, Sendable {
  /// Time between two samples of a running thread; `nil`: none.
  package var cpuNanoseconds: Int64? = 10_000_000
  /// Bytes allocated between two samples; `nil`: none.
  package var allocationBytes: Int64? = 512 * 1024
  /// Waits for a lock that are at least this long; `nil`: none.
  package var lockNanoseconds: Int64? = 10_000_000
  /// Time between two samples of every thread, running or not; `nil`: none. Only async-profiler can.
  package var wallNanoseconds: Int64?
  /// Only async-profiler: `cpu`, `itimer`, `ctimer`, a counter's name or a method.
  package var event = "ctimer"
  /// Only async-profiler: objects still alive at the end.
  package var live = false

  /// Seconds between two chunks: a chunk that is finished is in the trace, so that much is lost at most with a killed recorder.
  package var rotationSeconds = 20

  package init() {}
}
