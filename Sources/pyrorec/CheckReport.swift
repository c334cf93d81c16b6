import Base
import Configuration
import Targets

/// What `check` found out, as text and as JSON.
struct CheckReport {
  private struct Target {
    var name: String
    /// `nil` when it is profiled.
    var obstacle: String?
    var labels: LabelSet
  }
  private struct Profiler {
    var id: String
    var receivers: [String]
    var targets: [Target]
    var profilesEverything: Bool
  }
  private struct Component {
    var id: String
    var line: Int
    var dependencies: [String]
    var detail: String
  }

  private var components: [Component] = []
  private var profilers: [Profiler] = []
  /// Why sources gave no answer, by component.
  private let unasked: [String: String]

  init(
    _ configuration: Configuration, _ evaluation: Configuration.Evaluation, unasked: [String: String], processes: RunningProcesses
  ) {
    self.unasked = unasked
    for component in configuration.components {
      components.append(
        Component(
          id: component.id, line: component.line, dependencies: component.dependencies,
          detail: Self.detail(component, evaluation.results[component.id], isUnasked: unasked[component.id] != nil)))
    }
    for profiled in configuration.profiledTargets(of: evaluation) {
      let needsProcess = profiled.component.kind.name == ComponentKind.java.name
      let targets = profiled.index.targets.map { target in
        Target(
          name: Self.name(of: target), obstacle: Self.obstacle(target, processes, needsProcess: needsProcess),
          labels: profiled.final(target))
      }
      profilers.append(
        Profiler(
          id: profiled.component.id, receivers: profiled.arguments.receivers("forward_to"), targets: targets,
          profilesEverything: !profiled.targetsOnly))
    }
  }

  private static func detail(_ component: Configuration.Component, _ result: Configuration.Evaluation.Result?, isUnasked: Bool) -> String {
    guard let result else { return "" }
    if isUnasked { return "no answer" }
    switch component.kind.role {
    case .discovery: return "\(result.targets.count) targets"
    case .relabel:
      let given = result.arguments.targets("targets").count
      return "\(given) targets in, \(result.targets.count) out"
    case .receiver:
      return result.arguments.blocks("endpoint").map { WebAddress.shown($0.string("url")) }.joined(separator: ", ")
    case .profiler: return ""
    }
  }

  private static func name(of target: LabelSet) -> String {
    switch TargetIdentity(target) {
    case .process(let process): "process \(process)"
    case .container(let container): "container \(container.prefix(12))"
    case nil: "target \(target["__address__"] ?? "without an identity")"
    }
  }

  private static func obstacle(_ target: LabelSet, _ processes: RunningProcesses, needsProcess: Bool) -> String? {
    if needsProcess, target[SpecialLabel.processID].flatMap({ UInt32($0) }) == nil {
      return "it has no \(SpecialLabel.processID)"
    }
    switch processes.count(of: target) {
    case nil: return "it names neither a process nor a container"
    case 0: return "nothing of it runs here now"
    default: return nil
    }
  }

  func text(file: String) -> [UInt8] {
    var text = "\(file): \(components.count) component\(components.count == 1 ? "" : "s"), no errors\n\n"
    for component in components {
      text += "\(component.id) (line \(component.line))"
      if !component.dependencies.isEmpty { text += " <- " + component.dependencies.joined(separator: ", ") }
      if !component.detail.isEmpty { text += ": " + component.detail }
      text += "\n"
    }
    for profiler in profilers {
      let active = profiler.targets.count { $0.obstacle == nil }
      text += "\n\(profiler.id): \(active) of \(profiler.targets.count) targets would be profiled"
      if profiler.profilesEverything { text += ", and every process that is in none of them" }
      text += "\n"
      for target in profiler.targets {
        text += "  \(target.name): " + (target.obstacle.map { "not profiled, \($0)" } ?? "profiled") + "\n"
        text += "    \(target.labels)\n"
      }
    }
    return Array(text.utf8)
  }

  func json() -> [UInt8] {
    var json = JSONWriter()
    json.object {
      $0.array("components") {
        for component in components {
          $0.object {
            $0.field("id", component.id)
            $0.field("line", component.line)
            $0.array("refers_to") { for id in component.dependencies { $0.value(id) } }
            $0.field("detail", component.detail)
          }
        }
      }
      $0.array("unanswered") {
        for (id, reason) in unasked.sorted(by: { $0.key < $1.key }) {
          $0.object {
            $0.field("id", id)
            $0.field("reason", reason)
          }
        }
      }
      $0.array("profilers") {
        for profiler in profilers {
          $0.object {
            $0.field("id", profiler.id)
            $0.array("forward_to") { for id in profiler.receivers { $0.value(id) } }
            $0.field("profiles_everything", profiler.profilesEverything)
            $0.array("targets") {
              for target in profiler.targets {
                $0.object {
                  $0.field("target", target.name)
                  $0.field("profiled", target.obstacle == nil)
                  if let obstacle = target.obstacle { $0.field("reason", obstacle) }
                  $0.object("labels") { for label in target.labels.labels { $0.field(label.name, label.value) } }
                }
              }
            }
          }
        }
      }
    }
    return json.bytes + [0x0a]
  }
}
