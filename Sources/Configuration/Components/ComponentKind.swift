package import Targets

/// A kind of component: its name, what it is told and what it gives to others.
package struct ComponentKind: Sendable {
  package enum Role: Hashable, Sendable {
    /// Finds targets.
    case discovery
    /// Changes targets.
    case relabel
    /// Takes profiles.
    case receiver
    /// Makes profiles of targets.
    case profiler
  }
  package let name: String
  package let role: Role
  let schema: BlockSchema

  /// A new kind is written in a file of its own and named here.
  package static let all: [ComponentKind] = [
    .ebpf, .java, .write, .discoveryDocker, .discoveryKubernetes, .discoveryProcess, .discoveryRelabel,
  ]

  /// Blocks of Alloy's that say nothing pyrorec acts on: accepted as they are.
  static let passedOver: Set<String> = ["logging", "tracing", "http", "livedebugging", "remotecfg", "otelcol", "argument", "export"]
  /// Blocks of Alloy's that would change what the rest means.
  static let notUnderstood: Set<String> = ["declare", "foreach", "import.file", "import.git", "import.http", "import.string"]
}

/// `service_name` and the labels that are sent, by the rules of the profiling component.
package enum ComponentLabels {
  /// The labels of `target`'s profiles: inferred `service_name`, no internal labels.
  package static func final(of target: LabelSet, for kind: ComponentKind) -> LabelSet {
    let rules = kind.name == ComponentKind.java.name ? ServiceName.Rules.java : .ebpf
    return target.final(serviceName: rules)
  }
}
