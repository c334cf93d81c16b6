/// What can be asked about the processes of a machine: the live one, or one in a text.
package protocol ProcessInformation {
  /// In ascending order.
  func processes() -> [UInt32]
  /// The target of `/proc/PID/NAME`.
  func link(_ process: UInt32, _ name: String) -> ProcessAnswer<String>
  /// The bytes of `/proc/PID/NAME`.
  func read(_ process: UInt32, _ name: String) -> ProcessAnswer<[UInt8]>
  /// `nil` when the user has no name here.
  func userName(_ user: UInt32) -> String?
}

package enum ProcessAnswer<Value: Sendable>: Sendable {
  case known(Value)
  /// The process ended, or never had one (kernel threads have no `exe`).
  case gone
  /// The reason, in the kernel's words.
  case refused(String)
}

/// `discovery.process`: every process as a target.
package struct ProcessDiscovery: Sendable {
  package struct Options: Hashable, Sendable {
    package var executable = true
    package var workingDirectory = true
    package var commandLine = true
    package var containerID = true
    package var cgroupPath = false
    package var userName = true
    package var userID = false
    package init() {}
  }

  package struct Result: Hashable, Sendable {
    package var targets: [LabelSet] = []
    /// Processes that are left out because they could not be read, and the first reason.
    package var refused = 0
    package var firstReason = ""
  }

  package var options: Options

  package init(_ options: Options) { self.options = options }

  /// - Parameter joined: targets of containers, whose labels their processes get.
  package func targets(in information: some ProcessInformation, joining joined: [LabelSet] = []) -> Result {
    var result = Result()
    var processes: [LabelSet] = []
    for process in information.processes() {
      switch labels(of: process, in: information) {
      case .known(let labels): processes.append(labels)
      case .gone: break
      case .refused(let reason):
        result.refused += 1
        if result.firstReason.isEmpty { result.firstReason = "process \(process): \(reason)" }
      }
    }
    result.targets = Self.join(processes, joined)
    return result
  }

  private func labels(of process: UInt32, in information: some ProcessInformation) -> ProcessAnswer<LabelSet> {
    var labels = [LabelSet.Label(name: SpecialLabel.processID, value: String(process))]
    func add(_ name: String, _ value: String) { labels.append(LabelSet.Label(name: "__meta_process_\(name)", value: value)) }
    for (name, isWanted) in [("exe", options.executable), ("cwd", options.workingDirectory)] where isWanted {
      switch information.link(process, name) {
      case .known(let target): add(name, target)
      case .gone: return .gone
      case .refused(let reason): return .refused(reason)
      }
    }
    if options.commandLine {
      switch information.read(process, "cmdline") {
      case .known(let bytes): add("commandline", Self.commandLine(bytes))
      case .gone: return .gone
      case .refused(let reason): return .refused(reason)
      }
    }
    if options.userName || options.userID, case .known(let status) = information.read(process, "status"),
      let user = Self.userID(status)
    {
      if options.userID { add("uid", String(user)) }
      if options.userName { add("username", information.userName(user) ?? "") }
    }
    if options.containerID || options.cgroupPath {
      switch information.read(process, "cgroup") {
      case .known(let bytes):
        let text = String(decoding: bytes, as: UTF8.self)
        if options.containerID, let id = ContainerID.find(inCgroupFile: text) {
          labels.append(LabelSet.Label(name: SpecialLabel.containerID, value: id))
        }
        if options.cgroupPath { add("cgroup_path", text.split(separator: "\n").joined(separator: "|")) }
      case .gone: return .gone
      case .refused(let reason): return .refused(reason)
      }
    }
    return .known(LabelSet(labels))
  }

  /// Arguments with blanks between them.
  package static func commandLine(_ bytes: [UInt8]) -> String {
    var bytes = bytes
    while bytes.last == 0 { bytes.removeLast() }
    return String(decoding: bytes.map { $0 == 0 ? 0x20 : $0 }, as: UTF8.self)
  }

  /// The real user in the text of `/proc/PID/status`.
  private static func userID(_ status: [UInt8]) -> UInt32? {
    for line in status.split(separator: UInt8(ascii: "\n")) where line.starts(with: "Uid:".utf8) {
      let fields = line.split { $0 == 0x20 || $0 == 0x09 }
      return fields.count > 1 ? UInt32(String(decoding: fields[1], as: UTF8.self)) : nil
    }
    return nil
  }

  /// Joined targets without a container, then the processes with their container's labels, then the containers themselves;
  /// of several targets of one container the last gives the labels.
  package static func join(_ processes: [LabelSet], _ joined: [LabelSet]) -> [LabelSet] {
    if joined.isEmpty { return processes }
    var byContainer: [String: LabelSet] = [:]
    var others: [LabelSet] = []
    for target in joined {
      if let id = TargetIdentity.containerID(of: target) { byContainer[id] = target } else { others.append(target) }
    }
    let merged = processes.map { process in
      guard let id = process[SpecialLabel.containerID], let container = byContainer[id] else { return process }
      return process.merging(container)
    }
    return others + merged + joined
  }

  /// The names of users in the text of `/etc/passwd`.
  package static func userNames(inPasswordFile text: String) -> [UInt32: String] {
    var names: [UInt32: String] = [:]
    for line in text.split(separator: "\n") {
      let fields = line.split(separator: ":", omittingEmptySubsequences: false)
      guard fields.count > 2, let user = UInt32(fields[2]), names[user] == nil else { continue }
      names[user] = String(fields[0])
    }
    return names
  }
}
