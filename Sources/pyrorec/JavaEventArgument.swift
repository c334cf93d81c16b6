import ArgumentParser

/// A value of `record --java-event`: `cpu`, `cpu=5ms`, `alloc=1m`.
struct JavaEventArgument: Hashable, ExpressibleByArgument {
  private let name: String
  private let value: String?

  init?(argument: String) {
    let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    guard let first = parts.first, !first.isEmpty, parts.count == 1 || !parts[1].isEmpty else { return nil }
    name = first
    value = parts.count > 1 ? parts[1] : nil
  }

  /// As async-profiler's own command takes it.
  var arguments: [String] {
    switch name {
    case "live": ["--live"] + (value.map { [$0] } ?? [])
    case "wall": ["--wall", value ?? "50ms"]
    case "alloc", "lock", "nativemem", "nativelock": value.map { ["--\(name)", $0] } ?? ["-e", name]
    default: ["-e", name] + (value.map { ["-i", $0] } ?? [])
    }
  }
}
