public import Base

/// Something that should have been recorded and was not. Counts add up over all records of a trace.
public struct LossRecord: Hashable, Sendable {
  public enum Reason: UInt8, Hashable, Sendable, CaseIterable {
    /// The sample ring buffer was full.
    case ringBufferFull = 0
    /// perf's own buffer for mappings, names, forks and exits was full.
    case perfBufferFull = 1
    /// The segment could not be written (full disk).
    case notWritten = 2
    /// An event the recorder could not make sense of.
    case malformedEvent = 3
    /// A limit on the number of things kept in memory was reached.
    case overLimit = 4

    public var name: String {
      switch self {
      case .ringBufferFull: "ring_buffer_full"
      case .perfBufferFull: "perf_buffer_full"
      case .notWritten: "not_written"
      case .malformedEvent: "malformed_event"
      case .overLimit: "over_limit"
      }
    }
    /// Whether what was lost are samples (not facts about processes).
    public var isSamples: Bool { self == .ringBufferFull || self == .notWritten }
  }
  public var reason: Reason
  /// `UInt32.max` when it belongs to no one CPU.
  public var cpu: UInt32
  public var time: MonotonicInstant
  public var count: UInt64
  public init(reason: Reason, cpu: UInt32, time: MonotonicInstant, count: UInt64) {
    self.reason = reason
    self.cpu = cpu
    self.time = time
    self.count = count
  }
}

/// A fact about the recording as a whole, by name: the last record of a name wins.
///
/// Names used: `command` (arguments separated by spaces), `command.exit_status`, `command.signal`,
/// `end.reason` (`duration`, `command-exited`, `interrupted`, `disk-full`, …), `end.time` (monotonic ns),
/// `start.time` (monotonic ns of the first moment samples were taken), `targets`.
public struct SessionFactRecord: Hashable, Sendable {
  public var name: String
  public var value: String
  public init(name: String, value: String) {
    self.name = name
    self.value = value
  }
}

extension LossRecord: SegmentRecord {
  public static let kind = RecordKind.loss

  public func encode(into writer: inout ByteWriter) {
    writer.write(reason.rawValue)
    writer.number(cpu)
    writer.instant(time)
    writer.number(count)
  }

  public init(from cursor: inout ByteCursor) throws(MalformedInput) {
    reason = try cursor.choice("loss.reason")
    cpu = try cursor.number("loss.cpu")
    time = try cursor.instant("loss.time")
    count = try cursor.uleb128("loss.count")
  }
}

extension SessionFactRecord: SegmentRecord {
  public static let kind = RecordKind.sessionFact

  public func encode(into writer: inout ByteWriter) {
    writer.text(name)
    writer.text(value)
  }

  public init(from cursor: inout ByteCursor) throws(MalformedInput) {
    name = try cursor.text("session_fact.name")
    value = try cursor.text("session_fact.value")
  }
}
