import Base
import Configuration
import Replayer
import Targets
import TraceFormat

/// The labels that a configuration gives to each program of a trace, from the facts recorded in it.
struct ProgramLabels {
  private let handles: [ProcessHandle]
  private let labels: [LabelSet?]
  private let leftOutSamples: UInt64
  private let samples: UInt64

  init(_ contents: TraceContents, _ configuration: Configuration) {
    let processes = contents.processes.keys.sorted().compactMap { contents.processes[$0] }
    handles = processes.map(\.handle)
    labels = configuration.labels(of: processes.map { Self.program($0) }) { Self.found($0, in: contents) }
    var leftOut: Set<UInt32> = []
    for (handle, labels) in zip(handles, labels) where labels == nil { leftOut.insert(handle.rawValue) }
    var total: UInt64 = 0
    var lost: UInt64 = 0
    for (group, weight) in zip(contents.groups, contents.weights) {
      total &+= weight
      if leftOut.contains(group.process) { lost &+= weight }
    }
    (samples, leftOutSamples) = (total, lost)
  }

  /// What a component of that name told while recording; else what the only other one of its kind did.
  private static func found(_ component: Configuration.Component, in contents: TraceContents) -> [LabelSet] {
    if let known = contents.targets[component.id] { return known }
    let others = contents.targets.keys.filter { $0.hasPrefix(component.kind.name + ".") }
    return others.count == 1 ? others.first.flatMap { contents.targets[$0] } ?? [] : []
  }

  /// As `discovery.process` would have found it: no kernel thread, and the working directory is not recorded.
  private static func program(_ process: ProcessRecord) -> Configuration.RecordedProgram {
    var target: LabelSet?
    if !process.isKernelThread, !process.executable.isEmpty {
      var labels = LabelSet()
      labels[SpecialLabel.processID] = String(process.identity.pid.rawValue)
      labels[SpecialLabel.containerID] = process.containerID
      labels["__meta_process_exe"] = process.executable
      labels["__meta_process_commandline"] = process.commandLine.joined(separator: " ")
      labels["__meta_process_cgroup_path"] = process.cgroup.split(separator: "\n").joined(separator: "|")
      if process.userID != .max { labels["__meta_process_uid"] = String(process.userID) }
      target = labels
    }
    return Configuration.RecordedProgram(
      process: process.identity.pid.rawValue, containerID: process.containerID, target: target)
  }

  /// One a program; those that no target claims say so.
  func records(layer: UInt32, also common: LabelSet) -> [TargetLabelsRecord] {
    zip(handles, labels).map { handle, labels in
      let recorded =
        labels.map { $0.merging(common).recorded }
        ?? [TargetLabelsRecord.Label(name: TargetLabelsRecord.leftOut, value: "no target of the configuration claims it")]
      return TargetLabelsRecord(layer: layer, process: handle, labels: recorded)
    }
  }

  var summary: String {
    let claimed = labels.count { $0 != nil }
    return "\(claimed) of \(labels.count) programs have a target; \(labels.count - claimed) with \(leftOutSamples) of \(samples) samples are left out"
  }
}
