public import Base

/// Targets that a discovery source told of while recording, as it gave them, before any rule. All records of one component
/// together are everything it told, each target once; of two about the same thing the later one counts.
public struct TargetsRecord: Hashable, Sendable {
  /// The component's kind and label in the configuration that was recorded with: `discovery.docker.local`.
  public var component: String
  public var time: MonotonicInstant
  /// Sorted by name, each.
  public var targets: [[TargetLabelsRecord.Label]]
  public init(component: String, time: MonotonicInstant, targets: [[TargetLabelsRecord.Label]]) {
    self.component = component
    self.time = time
    self.targets = targets
  }
}

extension TargetsRecord: SegmentRecord {
  public static let kind = RecordKind.targets

  public func encode(into writer: inout ByteWriter) {
    writer.text(component)
    writer.instant(time)
    writer.number(UInt64(targets.count))
    for target in targets {
      writer.number(UInt64(target.count))
      for label in target {
        writer.text(label.name)
        writer.text(label.value)
      }
    }
  }

  public init(from cursor: inout ByteCursor) throws(MalformedInput) {
    component = try cursor.text("targets.component")
    time = try cursor.instant("targets.time")
    targets = []
    for _ in 0..<(try cursor.count("targets.count")) {
      var labels: [TargetLabelsRecord.Label] = []
      for _ in 0..<(try cursor.count("targets.label_count")) {
        let name = try cursor.text("targets.name")
        labels.append(.init(name: name, value: try cursor.text("targets.value")))
      }
      targets.append(labels)
    }
  }

  public func halves() -> (Self, Self)? {
    guard targets.count > 1 else { return nil }
    let middle = targets.count / 2
    return (
      Self(component: component, time: time, targets: Array(targets[..<middle])),
      Self(component: component, time: time, targets: Array(targets[middle...]))
    )
  }
}
