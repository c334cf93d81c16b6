import Targets
import TraceFormat

/// Gives every program of a trace the labels of its series.
struct Labeler {
  private let global: [TargetLabelsRecord.Label]
  private let byProcess: [UInt32: [TargetLabelsRecord.Label]]

  /// With the newest layer that `label` appended, if there is one.
  init(_ contents: TraceContents) {
    var global: [TargetLabelsRecord.Label] = []
    var byProcess: [UInt32: [TargetLabelsRecord.Label]] = [:]
    if let layer = contents.newestLayer(.labels) {
      for record in contents.labelLayers[layer] ?? [] {
        if let process = record.process { byProcess[process.rawValue, default: []] += record.labels } else { global += record.labels }
      }
    }
    self.global = global
    self.byProcess = byProcess
  }

  /// - Parameter process: `nil` when its record is lost.
  /// - Returns: `nil` for a program that the newest labels leave out of all profiles.
  func labels(of process: ProcessRecord?) -> LabelSet? {
    if let process, byProcess[process.handle.rawValue]?.contains(where: { $0.name == TargetLabelsRecord.leftOut }) == true {
      return nil
    }
    var labels = LabelSet()
    labels["service_name"] =
      process.map {
        ServiceName.infer(executable: $0.executable, comm: $0.comm, isKernelThread: $0.isKernelThread)
      } ?? "unspecified"
    for label in global { labels[label.name] = label.value }
    for label in process.flatMap({ byProcess[$0.handle.rawValue] }) ?? [] { labels[label.name] = label.value }
    return labels
  }
}
