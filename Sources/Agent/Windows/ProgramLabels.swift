import Base
package import Configuration
package import Replayer
package import Targets
package import TraceFormat

/// The labels that a configuration gives to each program of a trace, from the facts recorded in it.
package struct ProgramLabels {
  private let handles: [ProcessHandle]
  private let claims: [[Configuration.Claim]]
  private let labels: [LabelSet?]
  package let leftOutSamples: UInt64
  private let samples: UInt64

  /// - Parameters:
  ///   - discovered: by component, beside what the trace has; where it has nothing of a component, what the trace has of its kind.
  ///   - userName: of a user's number on the machine that recorded, `nil` when it is not known.
  package init(
    _ contents: TraceContents, _ configuration: Configuration, discovered: [String: [LabelSet]] = [:],
    userName: (UInt32) -> String? = { _ in nil }
  ) {
    let processes = contents.processes.keys.sorted().compactMap { contents.processes[$0] }
    handles = processes.map(\.handle)
    let directories = Self.directories(discovered.isEmpty ? contents.targets : discovered)
    claims = configuration.claims(of: processes.map { Self.program($0, directories, userName) }) { component, _ in
      guard let known = discovered[component.id] else { return Self.found(component, in: contents) }
      // What was told while recording, and what is known now of the same things.
      let all = Set(known)
      return (contents.targets[component.id] ?? []).filter { !all.contains($0) } + known
    }
    labels = claims.map { configuration.samples(of: $0)?.all }
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

  /// As `discovery.process` would have found it: no kernel thread.
  private static func program(
    _ process: ProcessRecord, _ directories: [Program: String], _ userName: (UInt32) -> String?
  ) -> Configuration.RecordedProgram {
    var target: LabelSet?
    if !process.isKernelThread, !process.executable.isEmpty {
      var labels = LabelSet()
      labels[SpecialLabel.processID] = String(process.identity.pid.rawValue)
      labels[SpecialLabel.containerID] = process.containerID
      labels["__meta_process_exe"] = process.executable
      labels["__meta_process_commandline"] = process.commandLine.joined(separator: " ")
      labels["__meta_process_cgroup_path"] = process.cgroup.split(separator: "\n").joined(separator: "|")
      labels["__meta_process_cwd"] = directories[Program(process: labels[SpecialLabel.processID], executable: process.executable)]
      if process.userID != .max {
        labels["__meta_process_uid"] = String(process.userID)
        labels["__meta_process_username"] = userName(process.userID)
      }
      target = labels
    }
    return Configuration.RecordedProgram(
      process: process.identity.pid.rawValue, containerID: process.containerID, target: target)
  }

  private struct Program: Hashable {
    var process: String?
    var executable: String
  }

  /// Working directories are not recorded: they are known of programs that discovery has seen.
  private static func directories(_ discovered: [String: [LabelSet]]) -> [Program: String] {
    var found: [Program: String] = [:]
    for component in discovered.keys.sorted() {
      for target in discovered[component] ?? [] {
        guard let executable = target["__meta_process_exe"], let directory = target["__meta_process_cwd"] else { continue }
        found[Program(process: target[SpecialLabel.processID], executable: executable)] = directory
      }
    }
    return found
  }

  /// The labels of each program that a component claims, by its handle.
  package func labels(by component: String) -> [UInt32: LabelSet] {
    var found: [UInt32: LabelSet] = [:]
    for (handle, claims) in zip(handles, claims) {
      if let claim = claims.first(where: { $0.component == component }) { found[handle.rawValue] = claim.labels }
    }
    return found
  }

  /// One a program; those that no target claims say so.
  package func records(layer: UInt32, also common: LabelSet) -> [TargetLabelsRecord] {
    zip(handles, labels).map { handle, labels in
      let recorded =
        labels.map { $0.merging(common).recorded }
        ?? [TargetLabelsRecord.Label(name: TargetLabelsRecord.leftOut, value: "no target of the configuration claims it")]
      return TargetLabelsRecord(layer: layer, process: handle, labels: recorded)
    }
  }

  package var summary: String {
    let claimed = labels.count { $0 != nil }
    return
      "\(claimed) of \(labels.count) programs have a target; \(labels.count - claimed) with \(leftOutSamples) of \(samples) samples are left out"
  }
}

extension LabelSet {
  package var recorded: [TargetLabelsRecord.Label] { labels.map { TargetLabelsRecord.Label(name: $0.name, value: $0.value) } }
}
