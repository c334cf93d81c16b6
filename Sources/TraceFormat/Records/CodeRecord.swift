public import Base

/// A piece of code that an interpreter ran: what naming its frames needs, read while it was there. Stack nodes of the
/// interpreter's space name it by its handle.
public struct CodeRecord: Hashable, Sendable {
  public var handle: CodeHandle
  /// The space of its stack nodes, 16 or above.
  public var interpreter: StackNode.Space
  /// How `lines` is to be read; the interpreter defines it.
  public var lineFormat: UInt8
  /// The runtime and its version, `CPython 3.11`.
  public var runtime: String
  public var name: String
  public var file: String
  /// The line it begins at; 0 when not known.
  public var firstLine: UInt32
  public var lines: [UInt8]

  public init(
    handle: CodeHandle, interpreter: StackNode.Space, lineFormat: UInt8, runtime: String, name: String, file: String,
    firstLine: UInt32, lines: [UInt8]
  ) {
    self.handle = handle
    self.interpreter = interpreter
    self.lineFormat = lineFormat
    self.runtime = runtime
    self.name = name
    self.file = file
    self.firstLine = firstLine
    self.lines = lines
  }
}

extension CodeRecord: SegmentRecord {
  public static let kind = RecordKind.code

  public func encode(into writer: inout ByteWriter) {
    writer.handle(handle)
    writer.write(interpreter.rawValue)
    writer.write(lineFormat)
    writer.text(runtime)
    writer.text(name)
    writer.text(file)
    writer.number(firstLine)
    writer.lengthPrefixed(lines)
  }

  public init(from cursor: inout ByteCursor) throws(MalformedInput) {
    handle = try cursor.handle("code.handle")
    interpreter = StackNode.Space(try cursor.read("code.interpreter"))
    lineFormat = try cursor.read("code.line_format")
    runtime = try cursor.text("code.runtime")
    name = try cursor.text("code.name")
    file = try cursor.text("code.file")
    firstLine = try cursor.number("code.first_line")
    lines = try cursor.data("code.lines", limit: Limits.lineTableByteCount)
  }
}
