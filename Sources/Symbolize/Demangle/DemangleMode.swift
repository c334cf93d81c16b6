/// How much of a mangled name is shown.
package enum DemangleMode: String, Hashable, Sendable, CaseIterable {
  /// The linkage name as it is.
  case none
  /// The function's path alone: no parameters, no template or generic arguments.
  case simplified
  /// With template and generic arguments.
  case templates
  /// Everything, clone suffixes (`.cold`, `.isra.0`) excepted.
  case full
}
