/// Labels with a meaning of their own.
package enum SpecialLabel {
  package static let serviceName = "service_name"
  package static let processID = "__process_pid__"
  package static let containerID = "__container_id__"
  package static let kubernetesContainerID = "__meta_kubernetes_pod_container_id"
  package static let dockerContainerID = "__meta_docker_container_id"
  package static let swarmTaskContainerID = "__meta_dockerswarm_task_container_id"
}

/// Which processes a target is about.
package enum TargetIdentity: Hashable, Sendable {
  case process(UInt32)
  case container(String)

  private static let runtimes = ["docker://", "containerd://", "cri-o://"]

  /// A process when `__process_pid__` is a number, else the first container id there is; `nil` when the target names neither.
  package init?(_ target: LabelSet) {
    if let process = target[SpecialLabel.processID].flatMap({ UInt32($0) }) {
      self = .process(process)
    } else if let container = Self.containerID(of: target) {
      self = .container(container)
    } else {
      return nil
    }
  }

  /// - Returns: `nil` also for a Kubernetes container of a runtime that is not known.
  package static func containerID(of target: LabelSet) -> String? {
    if let id = target[SpecialLabel.containerID] { return id }
    if let id = target[SpecialLabel.kubernetesContainerID] {
      return runtimes.first { id.hasPrefix($0) }.map { String(id.dropFirst($0.count)) }
    }
    return target[SpecialLabel.dockerContainerID] ?? target[SpecialLabel.swarmTaskContainerID]
  }
}

/// Targets by the processes they are about; of two about the same, the later counts.
package struct TargetIndex: Sendable {
  package let targets: [LabelSet]
  private var byProcess: [UInt32: Int] = [:]
  private var byContainer: [String: Int] = [:]
  /// Targets that name neither a process nor a container, which nothing can belong to.
  package private(set) var withoutIdentity = 0

  package init(_ targets: [LabelSet]) {
    self.targets = targets
    for (index, target) in targets.enumerated() {
      switch TargetIdentity(target) {
      case .process(let process): byProcess[process] = index
      case .container(let container): byContainer[container] = index
      case nil: withoutIdentity += 1
      }
    }
  }

  /// The target of a process: its own first, then its container's.
  package func target(process: UInt32, containerID: String) -> LabelSet? {
    if let index = byProcess[process] { return targets[index] }
    return containerID.isEmpty ? nil : byContainer[containerID].map { targets[$0] }
  }
}

extension LabelSet {
  /// The labels that are sent: `service_name` is always there, what begins `__` is not, except `__name__`.
  package func final(serviceName rules: ServiceName.Rules) -> LabelSet {
    var labels = filter { !$0.name.hasPrefix("__") || $0.name == "__name__" }
    labels[SpecialLabel.serviceName] = ServiceName.infer(of: self, rules)
    return labels
  }
}
