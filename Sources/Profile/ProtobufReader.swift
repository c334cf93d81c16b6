package import Base

/// Reads the fields of one message of the protobuf wire format in order, without copying.
///
/// Every length is checked against what is there; groups, gone since proto2, are refused.
package struct ProtobufReader: ~Escapable {
  private var cursor: ByteCursor
  /// Where the message starts in the whole input, for error messages.
  private let base: Int

  @_lifetime(copy bytes)
  package init(_ bytes: RawSpan, base: Int = 0) {
    cursor = ByteCursor(bytes)
    self.base = base
  }

  /// A field's number and how its value is written.
  package struct Tag: Hashable, Sendable {
    package let number: UInt64
    package let wire: Wire
  }
  package enum Wire: UInt64, Hashable, Sendable {
    case varint = 0
    case fixed64 = 1
    case delimited = 2
    case fixed32 = 5
  }

  package var isAtEnd: Bool { cursor.isAtEnd }
  /// Bytes of the whole input already read.
  package var offset: Int { base + cursor.offset }

  /// The next field, whose value is to be read by one of the calls below; `nil` at the end.
  package mutating func next() throws(MalformedInput) -> Tag? {
    if cursor.isAtEnd { return nil }
    let start = offset
    let raw = try varint("field tag")
    guard let wire = Wire(rawValue: raw & 7), raw >> 3 != 0, raw >> 3 < 1 << 29 else {
      throw MalformedInput(
        field: "field tag", offset: FileOffset(UInt64(start)), problem: .unsupported(value: raw))
    }
    return Tag(number: raw >> 3, wire: wire)
  }

  package mutating func varint(_ field: StaticString) throws(MalformedInput) -> UInt64 {
    do { return try cursor.uleb128(field) } catch { throw error.moved(by: base) }
  }

  /// The value of an integer field, which must be a varint.
  package mutating func integer(_ tag: Tag, _ field: StaticString) throws(MalformedInput) -> UInt64 {
    guard tag.wire == .varint else { throw wrongWire(field) }
    return try varint(field)
  }

  package mutating func signed(_ tag: Tag, _ field: StaticString) throws(MalformedInput) -> Int64 {
    Int64(bitPattern: try integer(tag, field))
  }

  /// The bytes of a string, a bytes field, a packed list or a nested message.
  @_lifetime(copy self)
  package mutating func delimited(_ tag: Tag, _ field: StaticString) throws(MalformedInput) -> RawSpan {
    guard tag.wire == .delimited else { throw wrongWire(field) }
    let count = try varint(field)
    do { return try cursor.take(count, field) } catch { throw error.moved(by: base) }
  }

  /// A nested message, to be read to its end before going on.
  @_lifetime(copy self)
  package mutating func message(_ tag: Tag, _ field: StaticString) throws(MalformedInput) -> ProtobufReader {
    let bytes = try delimited(tag, field)
    return ProtobufReader(bytes, base: offset - bytes.byteCount)
  }

  /// Appends the numbers of a repeated integer field, packed or not, to `numbers`.
  /// - Throws: `MalformedInput` also when `numbers` would come to hold more than `limit`.
  package mutating func integers(
    _ tag: Tag, _ field: StaticString, appendingTo numbers: inout [UInt64], limit: Int
  ) throws(MalformedInput) {
    if tag.wire == .varint {
      numbers.append(try varint(field))
    } else {
      var packed = try message(tag, field)
      while !packed.isAtEnd, numbers.count <= limit { numbers.append(try packed.varint(field)) }
    }
    guard numbers.count <= limit else {
      throw MalformedInput(
        field: field.description, offset: FileOffset(UInt64(offset)),
        problem: .overLimit(value: UInt64(numbers.count), limit: UInt64(limit)))
    }
  }

  /// Goes past a value that is not needed.
  package mutating func skip(_ tag: Tag) throws(MalformedInput) {
    do {
      switch tag.wire {
      case .varint: _ = try cursor.uleb128("skipped field")
      case .fixed64: try cursor.skip(8, "skipped field")
      case .fixed32: try cursor.skip(4, "skipped field")
      case .delimited:
        let count = try cursor.uleb128("skipped field")
        _ = try cursor.take(count, "skipped field")
      }
    } catch { throw error.moved(by: base) }
  }

  private func wrongWire(_ field: StaticString) -> MalformedInput {
    MalformedInput(
      field: field.description, offset: FileOffset(UInt64(offset)),
      problem: .inconsistent("has another wire type than its field"))
  }
}

extension MalformedInput {
  fileprivate func moved(by base: Int) -> MalformedInput {
    MalformedInput(field: field, offset: offset.adding(UInt64(base)) ?? offset, problem: problem)
  }
}
