import JFR
import Profile

/// What a recording of a JVM measures: one profile each, under the names Grafana Alloy's `pyroscope.java` gives them.
package enum JavaMetric: Int, CaseIterable, Sendable {
  case cpu, wall, allocationInNewTLAB, allocationOutsideTLAB, allocationSample, mutex, block, live, malloc, mallocLive

  /// For file names and messages.
  package var name: String {
    switch self {
    case .cpu: "cpu"
    case .wall: "wall"
    case .allocationInNewTLAB: "alloc_in_new_tlab"
    case .allocationOutsideTLAB: "alloc_outside_tlab"
    case .allocationSample: "alloc_sample"
    case .mutex: "mutex"
    case .block: "block"
    case .live: "live"
    case .malloc: "malloc"
    case .mallocLive: "malloc_live"
    }
  }

  /// The label `__name__`.
  package var seriesName: String {
    switch self {
    case .cpu: "process_cpu"
    case .wall: "wall"
    case .mutex: "mutex"
    case .block: "block"
    default: "memory"
    }
  }

  /// Name and unit of each value; where there are two, the first counts events.
  var sampleTypes: [(kind: String, unit: String)] {
    switch self {
    case .cpu, .wall: [(name, "nanoseconds")]
    case .mutex, .block: [("contentions", "count"), ("delay", "nanoseconds")]
    case .live: [("live", "count"), ("live_bytes", "bytes")]
    default: [(name + "_objects", "count"), (name + "_bytes", "bytes")]
    }
  }

  var periodType: (kind: String, unit: String)? {
    switch self {
    case .cpu, .wall: (name, "nanoseconds")
    case .mutex, .block: (name, "count")
    case .live: ("objects", "count")
    case .malloc, .mallocLive: nil
    default: ("space", "bytes")
    }
  }
}

/// The kinds of events that profiles come from, and of each the same slots in the same order.
enum JavaEvent: Int, CaseIterable {
  case execution, cpuTime, wallClock, inNewTLAB, outsideTLAB, allocation, monitorEnter, park, live, malloc, free, setting
  case samplesLost, machine

  enum Slot {
    static let stack = 0
    static let thread = 1
    static let value = 2
    /// Thread state, or an address.
    static let state = 3
    static let time = 4
    static let span = 5
    static let spanName = 6
    static let count = 7
  }

  var request: EventRequest {
    switch self {
    case .execution: Self.sampled("jdk.ExecutionSample", thread: "sampledThread", value: "", state: "state")
    case .cpuTime: Self.sampled("jdk.CPUTimeSample", value: "samplingPeriod")
    case .wallClock: Self.sampled("profiler.WallClockSample", thread: "sampledThread", value: "samples", state: "state")
    case .inNewTLAB: Self.sampled("jdk.ObjectAllocationInNewTLAB", value: "tlabSize")
    case .outsideTLAB: Self.sampled("jdk.ObjectAllocationOutsideTLAB", value: "allocationSize")
    case .allocation: Self.sampled("jdk.ObjectAllocationSample", value: "weight")
    case .monitorEnter: Self.sampled("jdk.JavaMonitorEnter", value: "duration")
    case .park: Self.sampled("jdk.ThreadPark", value: "duration")
    case .live: Self.sampled("profiler.LiveObject", value: "allocationSize")
    case .malloc: Self.sampled("profiler.Malloc", value: "size", state: "address", time: "startTime")
    case .free: EventRequest("profiler.Free", ["-", "-", "-", "address", "startTime"])
    case .setting: EventRequest("jdk.ActiveSetting", ["id", "name", "value"])
    case .samplesLost: EventRequest("jdk.CPUTimeSamplesLost", ["-", "-", "lostSamples"])
    case .machine: EventRequest("jdk.JVMInformation", ["jvmName", "jvmVersion"])
    }
  }

  /// The profile its samples go to, where there is only one.
  var metric: JavaMetric? {
    switch self {
    case .wallClock: .wall
    case .inNewTLAB: .allocationInNewTLAB
    case .outsideTLAB: .allocationOutsideTLAB
    case .allocation: .allocationSample
    case .monitorEnter: .mutex
    case .park: .block
    case .live: .live
    case .malloc: .malloc
    default: nil
    }
  }

  /// Whether the value is a length of time in ticks.
  var isTimed: Bool { self == .monitorEnter || self == .park || self == .cpuTime }

  private static func sampled(
    _ name: String, thread: String = "eventThread", value: String, state: String = "-", time: String = "-"
  ) -> EventRequest {
    EventRequest(name, ["stackTrace", thread, value, state, time, "spanId", "spanName"])
  }
}
