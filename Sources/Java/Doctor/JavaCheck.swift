/// One thing that stands, or does not stand, in the way of profiling a JVM.
package struct JavaCheck: Hashable, Sendable {
  package enum Outcome: String, Sendable {
    case good = "ok"
    /// Profiling goes on, with less.
    case limited = "warn"
    case bad = "fail"
  }
  package let name: String
  package let outcome: Outcome
  package let finding: String
  /// What to do; empty when there is nothing to do.
  package let remedy: String

  init(_ name: String, _ outcome: Outcome, _ finding: String, remedy: String = "") {
    self.name = name
    self.outcome = outcome
    self.finding = finding
    self.remedy = remedy
  }
}

/// The engine that would record a JVM, and why that one.
package enum JavaEngine: String, Sendable {
  case flightRecorder = "jfr"
  case asyncProfiler = "async-profiler"
  /// From outside, by the eBPF recorder.
  case native = "native"
}
