import Base

/// The commands of the JDK's Flight Recorder (`jcmd PID help JFR.start`), and what its answers mean.
package struct FlightRecorder: Sendable {
  package let client: AttachClient
  /// 17 for JDK 17.
  package let feature: Int

  /// From it on, settings can be given event by event; before, only a file of settings.
  private static let eventSettings = 17
  /// From it on there are samples by CPU time (JEP 509).
  package static let cpuTimeSamples = 25
  /// Every recording of ours is called so, with the recorder's process and a number behind it.
  package static let namePrefix = "pyrorec-"

  package init(_ client: AttachClient, feature: Int) {
    self.client = client
    self.feature = feature
  }

  // MARK: Commands

  /// The text of the command that begins a recording.
  package static func startCommand(name: String, feature: Int, _ request: JavaRequest) -> String {
    var words = ["JFR.start", "name=\(name)"]
    if feature >= eventSettings {
      // Without the sign in front an event's settings are passed over with a warning.
      words += ["settings=none"]
      for (event, setting) in settings(feature: feature, request) {
        words += ["+jdk.\(event)#enabled=true"] + (setting.map { ["+jdk.\(event)#\($0)"] } ?? [])
      }
    } else {
      words += ["settings=profile"]
    }
    return (words + ["disk=true", "maxage=10m", "maxsize=64M"]).joined(separator: " ")
  }

  static func settings(feature: Int, _ request: JavaRequest) -> [(event: String, setting: String?)] {
    var all: [(String, String?)] = []
    if let period = request.cpuNanoseconds {
      // JDK 25 samples CPU time; before, the recorder looks at a few running threads at a time: a shape, not an amount.
      all.append(
        feature >= cpuTimeSamples
          ? ("CPUTimeSample", "throttle=\(duration(period))") : ("ExecutionSample", "period=\(duration(max(period, 1_000_000)))"))
    }
    if request.allocationBytes != nil { all.append(("ObjectAllocationSample", "throttle=150/s")) }
    if let threshold = request.lockNanoseconds {
      all += [("JavaMonitorEnter", "threshold=\(duration(threshold))"), ("ThreadPark", "threshold=\(duration(threshold))")]
    }
    return all + [("ActiveSetting", nil), ("JVMInformation", "period=everyChunk")]
      + (feature >= cpuTimeSamples ? [("CPUTimeSamplesLost", nil)] : [])
  }

  static func duration(_ nanoseconds: Int64) -> String {
    for (unit, name) in [(Int64(1_000_000_000), "s"), (1_000_000, "ms"), (1000, "us")] where nanoseconds % unit == 0 {
      return "\(nanoseconds / unit) \(name)".replacing(" ", with: "")
    }
    return "\(nanoseconds)ns"
  }

  /// Begins a recording.
  package func start(name: String, _ request: JavaRequest) throws(JavaError) {
    let command = Self.startCommand(name: name, feature: feature, request)
    let text = try run(command)
    guard text.contains("Started recording ") else { throw .refused(command: "JFR.start", status: 0, text: Self.reason(text)) }
    // A setting the JVM does not know costs its events, silently but for this line.
    if let warning = text.split(whereSeparator: \.isNewline).first(where: { $0.hasPrefix("Warning!") }) {
      throw .refused(command: "JFR.start", status: 0, text: String(warning))
    }
  }

  /// Ends a recording, which need not be there any more.
  package func stop(name: String) throws(JavaError) {
    let text = try run("JFR.stop name=\(name)")
    guard text.contains("Stopped recording") || text.contains("Could not find") else {
      throw .refused(command: "JFR.stop", status: 0, text: Self.reason(text))
    }
  }

  /// The directory of the JVM's chunks, as the JVM sees it; there once a recording has begun.
  package func repository() throws(JavaError) -> String {
    let text = try run("JFR.configure")
    for line in text.split(whereSeparator: \.isNewline) {
      let words = line.drop { $0 == " " }
      let mark = "Repository path:"
      if words.hasPrefix(mark) { return String(words.dropFirst(mark.count).drop { $0 == " " }) }
    }
    throw .refused(command: "JFR.configure", status: 0, text: Self.reason(text))
  }

  /// The names of recordings of ours that run in the JVM.
  package func recordings() throws(JavaError) -> [String] {
    let text = try run("JFR.check")
    var names: [String] = []
    for word in text.split(whereSeparator: { $0.isWhitespace || $0 == "\"" || $0 == "=" }) where word.hasPrefix(Self.namePrefix) {
      if !names.contains(String(word)) { names.append(String(word)) }
    }
    return names
  }

  private func run(_ command: String) throws(JavaError) -> String {
    let reply = try client.ask("jcmd", [command])
    let name = String(command.prefix { $0 != " " })
    guard reply.status == 0 else { throw .refused(command: name, status: reply.status, text: Self.reason(reply.text)) }
    if reply.text.contains("Module jdk.jfr not found") || reply.text.contains("Flight Recorder can not be enabled") {
      throw .refused(command: name, status: 0, text: "Module jdk.jfr not found: this runtime was linked without it")
    }
    return reply.text
  }

  /// The first line that says something.
  static func reason(_ text: String) -> String {
    let lines = text.split(whereSeparator: \.isNewline).map { $0.drop { $0 == " " } }
    return lines.first { !$0.isEmpty }.map(String.init) ?? "nothing"
  }
}
