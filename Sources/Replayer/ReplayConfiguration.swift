package import Symbolize

/// What a replay is asked for.
package struct ReplayConfiguration: Sendable {
  package var demangle = DemangleMode.simplified
  /// Threads for looking up symbols. What comes out does not depend on it.
  package var workers = 1
  /// Whether samples of threads with different names are kept apart.
  package var groupsByThreadName = false
  /// Whether symbols are looked up anew although the trace holds some.
  package var ignoresRecordedSymbols = false

  package init() {}
}
