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
  /// What makes the samples of `cpuNanoseconds`: `cpu`, `itimer` and `ctimer` are CPU time; a counter's or a method's name
  /// is for async-profiler alone.
  package var event = "ctimer"
  /// Only async-profiler: objects still alive at the end.
  package var live = false
  /// Only async-profiler: the JVM's own events of new allocation buffers, not its sampler.
  package var usesTLABs = false
  /// Only async-profiler: what it logs, such as `INFO`; empty for its default.
  package var logLevel = ""
  /// Only async-profiler: further options, as its agent takes them: `cstack=vm`.
  package var further: [String] = []

  /// Where an agent's library and files go first, as the JVM sees it; then `/tmp` and others.
  package var folder = "/tmp"
  /// Seconds between two chunks: a chunk that is finished is in the trace, so that much is lost at most with a killed recorder.
  package var rotationSeconds = 20

  package init() {}

  /// Asks for nothing yet.
  package static var nothing: JavaRequest {
    var request = JavaRequest()
    request.cpuNanoseconds = nil
    request.allocationBytes = nil
    request.lockNanoseconds = nil
    return request
  }

  package var isEmpty: Bool {
    cpuNanoseconds == nil && allocationBytes == nil && lockNanoseconds == nil && wallNanoseconds == nil && !live && further.isEmpty
  }

  /// What of it only async-profiler does, in words.
  package var onlyByAgent: [String] {
    var names: [String] = []
    if wallNanoseconds != nil { names.append("wall-clock time") }
    if live { names.append("live objects") }
    if usesTLABs { names.append("tlab") }
    if cpuNanoseconds != nil, !isCPUTime { names.append("the event \(event)") }
    return names + further
  }

  /// What of it the JDK's Flight Recorder does.
  package var forFlightRecorder: JavaRequest {
    var request = self
    request.wallNanoseconds = nil
    request.live = false
    request.usesTLABs = false
    request.further = []
    if !isCPUTime { request.cpuNanoseconds = nil }
    return request
  }

  private var isCPUTime: Bool { ["cpu", "itimer", "ctimer"].contains(event) }
}
