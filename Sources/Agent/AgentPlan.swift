package import Configuration
package import Java
import Targets
import Uploader

/// What a configuration asks of the agent, once its targets are known.
package struct AgentPlan: Sendable {
  /// Samples a second; `nil` when nothing is to be recorded.
  package var frequencyHertz: Int?
  /// How long a window is.
  package var windowNanoseconds: UInt64 = 15_000_000_000
  /// Whether recording waits for a first target.
  package var isLazy = false
  /// Whether any of them wants the frames of Python programs.
  package var wantsPython = true
  /// What JVMs are asked to record of themselves.
  package var java = JavaPlan([])
  package var endpoints: [EndpointSettings] = []
  /// What is asked for and not done.
  package var remarks: [String] = []

  /// A JVM's chunk is delivered with the window in which it was finished; it need not wait for long.
  private static let longestJavaWindow: UInt64 = 15_000_000_000

  /// - Parameters:
  ///   - evaluation: of `configuration`, with what its sources found.
  ///   - asyncProfiler: for `pyroscope.java` components that name no library.
  package init(
    _ configuration: Configuration, _ evaluation: Configuration.Evaluation, userAgent: String, asyncProfiler: AgentLibrary? = nil
  ) throws(AgentError) {
    let profiled = configuration.profiledTargets(of: evaluation)
    let ebpf = profiled.filter { $0.component.kind.name == ComponentKind.ebpf.name }
    // One recording serves them all: the most frequent samples and the shortest windows that any of them wants.
    frequencyHertz = ebpf.map { Int(clamping: $0.arguments.integer("sample_rate")) }.max()
    if let shortest = ebpf.map({ $0.arguments.duration("collect_interval") }).min() {
      windowNanoseconds = max(1_000_000_000, UInt64(max(shortest, 0)))
      if shortest < 1_000_000_000 { remarks.append("collect_interval is taken as 1s, the shortest window there is") }
    }
    wantsPython = ebpf.contains { $0.arguments.bool("python_enabled") }
    isLazy = !ebpf.isEmpty && ebpf.allSatisfy { $0.arguments.bool("lazy_mode") }
    for component in ebpf { remarks += Self.remarks(component) }
    java = JavaPlan(profiled, agent: asyncProfiler)
    remarks += java.remarks
    if ebpf.isEmpty, let interval = java.shortestInterval { windowNanoseconds = min(UInt64(max(interval, 0)), Self.longestJavaWindow) }
    if java.isWanted { isLazy = false }
    for component in configuration.components where component.kind.name == ComponentKind.write.name {
      guard let arguments = evaluation.results[component.id]?.arguments else { continue }
      for (index, block) in arguments.blocks("endpoint").enumerated() {
        do throws(UploadError) {
          endpoints.append(
            try EndpointSettings(
              block, of: component.id, index: index, externalLabels: arguments.map("external_labels"), userAgent: userAgent))
        } catch { throw .endpoint(component.id, why: "\(error)") }
      }
    }
  }

  package var recordsAnything: Bool { frequencyHertz != nil || java.isWanted }

  private static func remarks(_ component: Configuration.ProfiledTargets) -> [String] {
    let arguments = component.arguments
    var remarks: [String] = []
    if arguments.float("off_cpu_threshold") > 0 {
      remarks.append("off_cpu_threshold: time off the CPU is not recorded yet; there will be no offcpu profiles")
    }
    for name in ["u_probe_links", "probe_links"] where !arguments.strings(name).isEmpty {
      remarks.append("\(name): nothing is recorded at probes yet; there will be no uprobe profiles")
    }
    if arguments.bool("load_probe") { remarks.append("load_probe: no probe is loaded, since nothing is recorded at probes yet") }
    for name in ["perl", "php", "hotspot", "ruby", "v8", "dotnet", "go"] where !arguments.bool("\(name)_enabled") {
      remarks.append("\(name)_enabled = false has no effect: its frames are native frames here, named by symbols and perf maps")
    }
    return remarks.map { "\(component.component.id): \($0)" }
  }
}
