public import Base

/// One kind of event that samples are taken on.
public struct EventRecord: Hashable, Sendable {
  public var handle: EventHandle
  /// perf's word: `cpu-clock`, `cycles`.
  public var name: String
  /// What one sample stands for: `cpu` in `nanoseconds`.
  public var type: String
  public var unit: String
  /// Samples a second asked for on each CPU; 0 when a period was asked for.
  public var frequencyHertz: UInt64
  /// What a weight of 1 is worth in `unit`.
  public var period: UInt64
  public init(handle: EventHandle, name: String, type: String, unit: String, frequencyHertz: UInt64, period: UInt64) {
    self.handle = handle
    self.name = name
    self.type = type
    self.unit = unit
    self.frequencyHertz = frequencyHertz
    self.period = period
  }
}

extension EventRecord: SegmentRecord {
  public static let kind = RecordKind.event

  public func encode(into writer: inout ByteWriter) {
    writer.handle(handle)
    writer.text(name)
    writer.text(type)
    writer.text(unit)
    writer.number(frequencyHertz)
    writer.number(period)
  }

  public init(from cursor: inout ByteCursor) throws(MalformedInput) {
    handle = try cursor.handle("event.handle")
    name = try cursor.text("event.name")
    type = try cursor.text("event.type")
    unit = try cursor.text("event.unit")
    frequencyHertz = try cursor.uleb128("event.frequency")
    period = try cursor.uleb128("event.period")
  }
}
