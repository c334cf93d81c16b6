/// The names of what is counted: Alloy's where there are such, and pyrorec's own.
enum AgentMetrics {
  static func declare(_ metrics: Metrics) {
    let endpoint = ["component_id", "endpoint"]
    for (name, help) in [
      ("pyroscope_write_sent_profiles_total", "Profiles that an endpoint took."),
      ("pyroscope_write_sent_bytes_total", "Bytes of profiles that an endpoint took, as they went over the wire."),
      ("pyroscope_write_dropped_profiles_total", "Profiles that an endpoint refused for good."),
      ("pyroscope_write_dropped_bytes_total", "Bytes of profiles that an endpoint refused for good."),
      ("pyroscope_write_retries_total", "Attempts that failed and are made again."),
    ] { metrics.declare(name, .counter, labels: endpoint, help) }
    for (name, help) in [
      ("pyroscope_ebpf_pprofs_total", "Profiles that were made."),
      ("pyroscope_ebpf_pprof_bytes_total", "Bytes of profiles that were made."),
      ("pyroscope_ebpf_pprof_samples_total", "Distinct stacks of profiles that were made."),
    ] { metrics.declare(name, .counter, labels: ["service_name"], help) }
    for (name, help) in [
      ("pyroscope_ebpf_profiling_sessions_total", "Recordings that were begun."),
      ("pyroscope_ebpf_profiling_sessions_failing_total", "Recordings that could not be begun or ended by themselves."),
      ("pyrorec_windows_total", "Windows that were recorded."),
      ("pyrorec_broken_windows_total", "Windows that could not be written whole: what waited when the disk was full is lost."),
      ("pyrorec_recorded_samples_total", "Samples that were recorded."),
      ("pyrorec_lost_samples_total", "Samples that the kernel took and the recorder did not get."),
      ("pyrorec_left_out_samples_total", "Samples of programs that no component profiles."),
      ("pyrorec_spool_dropped_windows_total", "Windows given up because of the spool's limits or a full disk."),
      ("pyrorec_spool_unreadable_total", "Files of the spool that could not be read."),
    ] { metrics.declare(name, .counter, help) }
    metrics.declare("pyrorec_reloads_total", .counter, labels: ["result"], "Times the configuration was read again.")
    for (name, help) in [
      ("pyroscope_ebpf_active_targets", "Targets of all profiling components."),
      ("pyrorec_spool_bytes", "Bytes of the spool on the disk."),
      ("pyrorec_spool_windows", "Windows whose profiles are not made yet."),
      ("pyrorec_spool_batches", "Windows whose profiles are not delivered yet."),
    ] { metrics.declare(name, .gauge, help) }
  }
}

/// The pages of the status server.
enum AgentStatus {
  static func answer(
    _ path: String, _ metrics: Metrics, _ health: (isReady: Bool, problem: String?)
  ) -> (status: Int, type: String, text: String)? {
    let plain = "text/plain; charset=utf-8"
    switch path {
    case "/metrics": return (200, "text/plain; version=0.0.4; charset=utf-8", metrics.text())
    case "/-/healthy":
      return health.problem.map { (500, plain, "not recording: \($0)\n") } ?? (200, plain, "All pyrorec components are healthy.\n")
    case "/-/ready":
      return health.isReady ? (200, plain, "pyrorec is ready.\n") : (503, plain, "pyrorec is not ready.\n")
    default: return nil
    }
  }
}
