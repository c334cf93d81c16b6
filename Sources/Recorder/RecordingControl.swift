import Base
import Glibc
import Synchronization
package import TraceFormat

// glibc declares `eventfd(2)` in a header that Swift's module of it leaves out. Its flags are those of `open(2)`.
@_silgen_name("eventfd") private func makeEvent(_ initial: UInt32, _ flags: Int32) -> Int32

/// Tells a recording from another thread what it should do: the recording loop wakes up for it.
package final class RecordingControl: Sendable {
  /// An eventfd, readable when something was asked for; lives as long as this.
  let descriptor: Int32
  private let state = Mutex(State())
  private struct State {
    var isStopping = false
    var windowNanoseconds: UInt64?
  }

  package init() throws(RecorderError) {
    descriptor = makeEvent(0, O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw .systemCall(SystemCallError(call: "eventfd", path: "recorder", code: errno)) }
  }
  deinit { _ = close(descriptor) }

  /// Ends the recording: what was sampled until now is written.
  package func stop() {
    state.withLock { $0.isStopping = true }
    wake()
  }

  /// How long windows are from the next one on.
  package func setWindow(nanoseconds: UInt64) {
    state.withLock { $0.windowNanoseconds = nanoseconds }
    wake()
  }

  var isStopping: Bool { state.withLock { $0.isStopping } }
  var windowNanoseconds: UInt64? { state.withLock { $0.windowNanoseconds } }

  private func wake() {
    var one: UInt64 = 1
    // Safe: writes eight bytes of a local. A counter that is full is readable already.
    _ = unsafe write(descriptor, &one, 8)
  }

  /// Makes the descriptor unreadable until the next request.
  func acknowledge() {
    var count: UInt64 = 0
    // Safe: reads eight bytes into a local.
    _ = unsafe read(descriptor, &count, 8)
  }
}

/// A recording without an end, in windows: a segment each, that stands alone.
///
/// When the disk is full the window goes on until there is room again; what cannot be written waits in memory.
package struct RecordingWindows: Sendable {
  /// Bytes of compressed records that wait for room at most: a quarter of an hour of a small machine, a minute of a large one.
  package static let patience = 16 << 20

  /// How long each is. One whose samples still wait for unwind tables may be a little longer.
  package var nanoseconds: UInt64
  /// The file for a window that begins at this time (Unix, nanoseconds).
  package var path: @Sendable (_ begin: Int64) -> String
  /// What is written into each segment when it begins (nanoseconds of CLOCK_MONOTONIC): what was known of targets, say.
  package var facts: @Sendable (_ time: UInt64) -> [TraceRecord] = { _ in [] }
  /// Asked for room when the disk is full, again and again until there is some; must not wait.
  package var makeRoom: @Sendable (_ waitingByteCount: Int) -> Void = { _ in }
  /// Told of each window when its segment is closed, or could not be; on a thread beside the recording.
  package var onClosed: @Sendable (ClosedWindow) -> Void

  package init(
    nanoseconds: UInt64, path: @escaping @Sendable (_ begin: Int64) -> String,
    onClosed: @escaping @Sendable (ClosedWindow) -> Void
  ) {
    self.nanoseconds = nanoseconds
    self.path = path
    self.onClosed = onClosed
  }
}

/// A window whose segment is written.
package struct ClosedWindow: Hashable, Sendable {
  /// The segment, ending in `.part` when it could not be finished.
  package var path: String
  package var samples: UInt64
  package var lostSamples: UInt64
  package var byteCount: UInt64
  package var durationNanoseconds: UInt64
  /// Why it is not whole, in words; `nil` when it is.
  package var writeFailure: String?

  /// So many of its samples did not come to be written.
  mutating func takeBack(samples count: UInt64) {
    lostSamples &+= min(samples, count)
    samples -= min(samples, count)
  }
}
