/// What `jdk.ActiveSetting` events say of how it was recorded. async-profiler writes them in a file's first chunk only, so
/// they hold on from chunk to chunk.
struct JavaSettings: Hashable, Sendable {
  /// async-profiler's `event`: `cpu`, `ctimer`, `wall`, a counter, a method.
  var event = ""
  var version = ""
  private var interval: Int64 = 0
  private var wallInterval: Int64?
  private var executionPeriod: Int64?

  /// async-profiler's defaults (its `arguments.h`): 10 ms, and 50 ms for wall clock.
  private static let defaultInterval: Int64 = 10_000_000
  private static let defaultWallInterval: Int64 = 50_000_000
  /// JDK's `default.jfc`.
  private static let defaultExecutionPeriod: Int64 = 20_000_000

  mutating func note(type: String, name: String, value: String) {
    switch (type, name) {
    case (_, "event"): event = value
    case (_, "version") where type != "jdk.ExecutionSample": version = value
    case ("jdk.ExecutionSample", "interval"): interval = Int64(value) ?? interval
    case ("jdk.ExecutionSample", "wall"): wallInterval = Int64(value) ?? wallInterval
    case ("jdk.ExecutionSample", "period"): executionPeriod = Self.nanoseconds(value) ?? executionPeriod
    default: break
    }
  }

  /// - Parameter options: the agent's own words, `event=ctimer,interval=10000000,wall=50000000`: all there is to sampling in time.
  mutating func assume(_ options: String) {
    (event, interval, wallInterval) = ("", 0, nil)
    for option in options.split(separator: ",") {
      let parts = option.split(separator: "=", maxSplits: 1)
      guard parts.count == 2 else { continue }
      switch parts[0] {
      case "event": event = String(parts[1])
      case "interval": interval = Int64(parts[1]) ?? 0
      case "wall": wallInterval = Int64(parts[1])
      default: break
      }
    }
  }

  var isWallClock: Bool { event == "wall" }
  /// Whether one recording holds samples of both CPU time and wall-clock time.
  var hasWallBesideCPU: Bool { !isWallClock && wallInterval != nil }

  var wallPeriod: Int64 {
    if let wallInterval, wallInterval > 0 { return wallInterval }
    return isWallClock && interval > 0 ? interval : Self.defaultWallInterval
  }

  /// What one `jdk.ExecutionSample` stands for.
  func executionPeriod(isAsyncProfiler: Bool) -> Int64 {
    if isAsyncProfiler { return interval > 0 ? interval : Self.defaultInterval }
    return executionPeriod ?? Self.defaultExecutionPeriod
  }

  /// The name of what is counted, where that is not time.
  var counter: String? {
    ["", "cpu", "itimer", "ctimer", "wall", "cpu-clock", "task-clock", "alloc", "lock"].contains(event) ? nil : event
  }

  /// `20 ms`, `10ms`, `1 s`.
  static func nanoseconds(_ text: String) -> Int64? {
    let digits = text.prefix { $0.isASCII && $0.isNumber }
    guard let number = Int64(digits), number > 0 else { return nil }
    let unit: Int64
    switch text.dropFirst(digits.count).drop(while: { $0 == " " }) {
    case "ns": unit = 1
    case "us": unit = 1000
    case "ms": unit = 1_000_000
    case "s": unit = 1_000_000_000
    case "m": unit = 60_000_000_000
    case "h": unit = 3_600_000_000_000
    default: return nil
    }
    return SampleSet.product(number, unit)
  }
}
