/// Names services: never empty, the same for every process of a program.
package enum ServiceName {
  /// The name of a process that no configuration speaks of.
  package static func infer(executable: String, comm: String, isKernelThread: Bool) -> String {
    if isKernelThread { return "kernel" }
    // A deleted program is the same service as the one that was there before.
    let path = executable.hasSuffix(" (deleted)") ? String(executable.dropLast(10)) : executable
    if let name = path.split(separator: "/").last, !name.isEmpty { return String(name) }
    return comm.isEmpty ? unspecified : comm
  }

  package static let unspecified = "unspecified"

  /// How a profiling component names a target that has no `service_name`.
  package enum Rules: String, Hashable, Sendable {
    /// Also the word before namespace and container.
    case ebpf, java
  }

  /// From what discovery said, in the order that Alloy's components look. An empty value is none, as in every label set.
  package static func infer(of target: LabelSet, _ rules: Rules) -> String {
    if let name = target["service_name"] { return name }
    if let name = target["__meta_kubernetes_pod_annotation_pyroscope_io_service_name"] { return name }
    if let namespace = target["__meta_kubernetes_namespace"], let container = target["__meta_kubernetes_pod_container_name"] {
      return "\(rules.rawValue)/\(namespace)/\(container)"
    }
    // With the slash before it, as the container service gives it.
    if let name = target["__meta_docker_container_name"] { return name }
    if let name = target["__meta_dockerswarm_container_label_service_name"] { return name }
    return target["__meta_dockerswarm_service_name"] ?? unspecified
  }
}
