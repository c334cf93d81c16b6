package import Targets

extension Configuration {
  /// What one profiling component was told, once its targets are known.
  package struct ProfiledTargets: Sendable {
    package let component: Component
    package let arguments: DecodedBlock
    package let index: TargetIndex
    /// What the component's only receiver adds to every profile; its values win.
    package let externalLabels: LabelSet
    /// Whether a process that no target claims is left out.
    package var targetsOnly: Bool { component.kind.name == ComponentKind.java.name || arguments.bool("targets_only") }

    /// The labels of a process' profiles; `nil` when it is not profiled.
    package func labels(process: UInt32, containerID: String) -> LabelSet? {
      if let target = index.target(process: process, containerID: containerID) { return final(target) }
      if targetsOnly { return nil }
      return final(LabelSet(["service_name": "ebpf/unspecified"]))
    }

    package func final(_ target: LabelSet) -> LabelSet { own(target).merging(externalLabels) }

    /// Without what a receiver adds.
    private func own(_ target: LabelSet) -> LabelSet {
      var labels = ComponentLabels.final(of: target, for: component.kind)
      if component.kind.name == ComponentKind.java.name {
        labels["pyroscope_spy"] = "alloy.java"
        labels["jfr_event"] = arguments.profilingConfig.string("event")
      }
      return labels
    }

    func ownLabels(process: UInt32, containerID: String) -> LabelSet? {
      if let target = index.target(process: process, containerID: containerID) { return own(target) }
      return targetsOnly ? nil : own(LabelSet(["service_name": "ebpf/unspecified"]))
    }
  }

  package func profiledTargets(of evaluation: Evaluation) -> [ProfiledTargets] {
    components.compactMap { component in
      guard component.kind.role == .profiler, let result = evaluation.results[component.id] else { return nil }
      let receivers = result.arguments.receivers("forward_to")
      var external = LabelSet()
      if receivers.count == 1, let receiver = evaluation.results[receivers[0]] {
        external = LabelSet(receiver.arguments.map("external_labels"))
      }
      return ProfiledTargets(
        component: component, arguments: result.arguments, index: TargetIndex(result.arguments.targets("targets")),
        externalLabels: external)
    }
  }

  /// One program that a trace tells of.
  package struct RecordedProgram: Sendable {
    package var process: UInt32
    package var containerID: String
    /// As `discovery.process` would have found it, every label of it; `nil` when it would not have.
    package var target: LabelSet?
    package init(process: UInt32, containerID: String, target: LabelSet?) {
      self.process = process
      self.containerID = containerID
      self.target = target
    }
  }

  /// A component that profiles a program, and the labels it gives it, without those that a receiver adds.
  package struct Claim: Hashable, Sendable {
    package var component: String
    package var labels: LabelSet
    let external: LabelSet
    /// With what the component's only receiver adds.
    package var all: LabelSet { labels.merging(external) }
  }

  /// The labels of each of a recording's programs, `nil` for one that no target claims.
  /// - Parameter others: what sources other than `discovery.process` found.
  package func labels(
    of programs: [RecordedProgram], others: (Component, DecodedBlock) -> [LabelSet] = { _, _ in [] }
  ) -> [LabelSet?] {
    claims(of: programs, others: others).map { samples(of: $0)?.all }
  }

  /// Of a program's claims the one that its samples go by.
  package func samples(of claims: [Claim]) -> Claim? {
    let ebpf = Set(components.filter { $0.kind.name == ComponentKind.ebpf.name }.map(\.id))
    return ebpf.isEmpty ? claims.first : claims.first { ebpf.contains($0.component) }
  }

  /// Who profiles each of a recording's programs, in the order of the file.
  ///
  /// A trace's samples are what `pyroscope.ebpf` records: without one, another component's targets say whose they are.
  ///
  /// Processes whose numbers were used again, and programs that replaced others by `exec`, are looked at in rounds of their
  /// own: a number means one program in each.
  package func claims(
    of programs: [RecordedProgram], others: (Component, DecodedBlock) -> [LabelSet] = { _, _ in [] }
  ) -> [[Claim]] {
    var result = [[Claim]](repeating: [], count: programs.count)
    var rounds: [[Int]] = []
    var usesOfProcess: [UInt32: Int] = [:]
    for (index, program) in programs.enumerated() {
      let round = usesOfProcess[program.process, default: 0]
      usesOfProcess[program.process] = round + 1
      if round == rounds.count { rounds.append([]) }
      rounds[round].append(index)
    }
    for round in rounds {
      let evaluation = evaluate { component, arguments in
        guard component.kind.name == ComponentKind.discoveryProcess.name else { return others(component, arguments) }
        let options = arguments.processDiscovery
        let targets = round.compactMap { programs[$0].target.map { options.chosen(from: $0) } }
        return ProcessDiscovery.join(targets, arguments.targets("join"))
      }
      let all = profiledTargets(of: evaluation)
      for index in round {
        for profiled in all {
          let program = programs[index]
          guard let labels = profiled.ownLabels(process: program.process, containerID: program.containerID) else { continue }
          result[index].append(Claim(component: profiled.component.id, labels: labels, external: profiled.externalLabels))
        }
      }
    }
    return result
  }
}

extension ProcessDiscovery.Options {
  /// Of all labels of a process those that are asked for.
  func chosen(from labels: LabelSet) -> LabelSet {
    let wanted = [
      "__meta_process_exe": executable, "__meta_process_cwd": workingDirectory, "__meta_process_commandline": commandLine,
      SpecialLabel.containerID: containerID, "__meta_process_cgroup_path": cgroupPath, "__meta_process_username": userName,
      "__meta_process_uid": userID,
    ]
    return labels.filter { wanted[$0.name] ?? true }
  }
}
