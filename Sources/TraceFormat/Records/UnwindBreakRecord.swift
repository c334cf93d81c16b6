public import Base

/// Where user stacks broke off or had to be guessed: so many samples, in one image and for one reason. Counts add up over
/// all records of a trace.
public struct UnwindBreakRecord: Hashable, Sendable {
  /// The image of the frame whose caller was not found by a table; 0 for code of no image.
  public var image: ImageHandle
  /// An `UnwindResult`: why not.
  public var reason: UInt8
  /// Whether the caller was guessed, and the stack went on.
  public var wasGuessed: Bool
  public var count: UInt64
  public init(image: ImageHandle, reason: UInt8, wasGuessed: Bool, count: UInt64) {
    self.image = image
    self.reason = reason
    self.wasGuessed = wasGuessed
    self.count = count
  }
}

extension UnwindBreakRecord: SegmentRecord {
  public static let kind = RecordKind.unwindBreak

  public func encode(into writer: inout ByteWriter) {
    writer.handle(image)
    writer.write(reason)
    writer.flag(wasGuessed)
    writer.number(count)
  }

  public init(from cursor: inout ByteCursor) throws(MalformedInput) {
    image = try cursor.handle("unwindBreak.image")
    reason = try cursor.read("unwindBreak.reason")
    wasGuessed = try cursor.flag("unwindBreak.wasGuessed")
    count = try cursor.uleb128("unwindBreak.count")
  }
}
