public import Base

/// A record as it is written into a frame: its payload only, without kind and length.
public protocol SegmentRecord: Hashable, Sendable {
  static var kind: RecordKind { get }
  func encode(into writer: inout ByteWriter)
  /// Reads the fields of this version; bytes after them belong to a newer minor version and are left.
  init(from cursor: inout ByteCursor) throws(MalformedInput)
  /// Two records that say together what this one says, for one too large for a frame; `nil` when it has no parts.
  func halves() -> (Self, Self)?
}

extension SegmentRecord {
  public func halves() -> (Self, Self)? { nil }
}

extension ByteCursor {
  /// A text with its length in front.
  mutating func text(_ field: StaticString, limit: Int = Limits.textByteCount) throws(MalformedInput) -> String {
    let start = offset
    let count = try uleb128(field)
    guard count <= UInt64(limit) else { throw Self.over(field, start, count, limit) }
    return try take(count, field).text()
  }

  /// Bytes with their length in front.
  mutating func data(_ field: StaticString, limit: Int) throws(MalformedInput) -> [UInt8] {
    let start = offset
    let count = try uleb128(field)
    guard count <= UInt64(limit) else { throw Self.over(field, start, count, limit) }
    return try take(count, field).copied()
  }

  /// How many entries follow. Each takes at least one byte, so a count above what remains is refused before anything is allocated.
  mutating func count(_ field: StaticString, limit: Int = Limits.listCount) throws(MalformedInput) -> Int {
    let start = offset
    let count = try uleb128(field)
    guard count <= UInt64(limit) else { throw Self.over(field, start, count, limit) }
    guard count <= UInt64(remaining) else {
      throw MalformedInput(
        field: field.description, offset: FileOffset(UInt64(start)),
        problem: .truncated(needed: Int(count), remaining: remaining))
    }
    return Int(count)
  }

  mutating func number<Value: FixedWidthInteger>(
    _ field: StaticString, as type: Value.Type = Value.self
  ) throws(MalformedInput) -> Value {
    let start = offset
    let raw = try uleb128(field)
    guard let value = Value(exactly: raw) else { throw Self.over(field, start, raw, Int(clamping: Value.max)) }
    return value
  }

  mutating func handle<Thing>(_ field: StaticString) throws(MalformedInput) -> Handle<Thing> {
    Handle(try number(field))
  }

  mutating func instant(_ field: StaticString) throws(MalformedInput) -> MonotonicInstant {
    MonotonicInstant(nanoseconds: try uleb128(field))
  }

  /// One byte that is one of an enum's values.
  mutating func choice<Value: RawRepresentable<UInt8>>(_ field: StaticString) throws(MalformedInput) -> Value {
    let start = offset
    let raw: UInt8 = try read(field)
    guard let value = Value(rawValue: raw) else {
      throw MalformedInput(
        field: field.description, offset: FileOffset(UInt64(start)), problem: .unsupported(value: UInt64(raw)))
    }
    return value
  }

  mutating func flag(_ field: StaticString) throws(MalformedInput) -> Bool {
    try read(field, as: UInt8.self) & 1 == 1
  }

  static func over(_ field: StaticString, _ start: Int, _ value: UInt64, _ limit: Int) -> MalformedInput {
    MalformedInput(
      field: field.description, offset: FileOffset(UInt64(start)),
      problem: .overLimit(value: value, limit: UInt64(limit)))
  }
}

extension ByteWriter {
  /// A text with its length in front, cut at `Limits.textByteCount` bytes.
  mutating func text(_ text: String) {
    if text.utf8.count <= Limits.textByteCount { return lengthPrefixed(utf8: text) }
    // Cutting may split a character; the reader shows U+FFFD, which is one byte too many at the limit.
    lengthPrefixed(Array(text.utf8.prefix(Limits.textByteCount)))
  }
  mutating func number<Value: FixedWidthInteger & UnsignedInteger>(_ value: Value) { uleb128(UInt64(value)) }
  mutating func handle<Thing>(_ handle: Handle<Thing>) { uleb128(UInt64(handle.rawValue)) }
  mutating func instant(_ instant: MonotonicInstant) { uleb128(instant.nanoseconds) }
  mutating func flag(_ flag: Bool) { write(UInt8(flag ? 1 : 0)) }
}
