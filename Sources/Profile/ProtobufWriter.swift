/// Writes the protobuf wire format (protobuf.dev, "Encoding") into bytes of its own.
///
/// A nested message's length comes before it, so callers say it: `varintSize` and `fieldSize` count without writing.
package struct ProtobufWriter: Sendable {
  package private(set) var bytes: [UInt8]

  package init(capacity: Int = 0) {
    bytes = []
    bytes.reserveCapacity(capacity)
  }

  /// Bytes `value` takes as a varint: 1 to 10.
  @inline(__always)
  package static func varintSize(_ value: UInt64) -> Int {
    // Seven bits a byte: the size is ceil(bits / 7), and at least one.
    (64 - (value | 1).leadingZeroBitCount + 6) / 7
  }

  /// Bytes `integer(_:_:)` writes for `value` with a field number below 16: none for 0.
  @inline(__always)
  package static func fieldSize(_ value: UInt64) -> Int { value == 0 ? 0 : 1 + varintSize(value) }

  @inline(__always)
  package mutating func varint(_ value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest &>>= 7
    }
    bytes.append(UInt8(truncatingIfNeeded: rest))
  }

  package var count: Int { bytes.count }

  /// Writes what was written elsewhere.
  package mutating func append(_ more: [UInt8]) { bytes.append(contentsOf: more) }

  /// Writes the `count` bytes from `start` on once more.
  mutating func again(from start: Int, count: Int) {
    let end = bytes.count
    precondition(start >= 0 && count >= 0 && start + count <= end, "what is written again was written before")
    bytes.append(contentsOf: repeatElement(0, count: count))
    unsafe bytes.withUnsafeMutableBytes { buffer in
      guard let base = buffer.baseAddress else { return }
      // Safe: `count` bytes lie behind `start` and, since just now, behind `end`.
      unsafe (base + end).copyMemory(from: base + start, byteCount: count)
    }
  }

  /// An integer field of proto3: nothing is written for 0.
  @inline(__always)
  package mutating func integer(_ field: UInt64, _ value: UInt64) {
    guard value != 0 else { return }
    varint(field << 3)
    varint(value)
  }

  @inline(__always)
  package mutating func integer(_ field: UInt64, _ value: Int64) { integer(field, UInt64(bitPattern: value)) }

  @inline(__always)
  package mutating func flag(_ field: UInt64, _ value: Bool) { integer(field, value ? UInt64(1) : 0) }

  /// The tag and length of a field whose `length` bytes the caller writes next.
  @inline(__always)
  package mutating func delimited(_ field: UInt64, length: Int) {
    varint(field << 3 | 2)
    varint(UInt64(length))
  }

  /// A field of bytes; written also when empty.
  package mutating func bytes(_ field: UInt64, _ value: some Collection<UInt8>) {
    delimited(field, length: value.count)
    bytes.append(contentsOf: value)
  }

  package mutating func string(_ field: UInt64, _ value: String) {
    delimited(field, length: value.utf8.count)
    bytes.append(contentsOf: value.utf8)
  }

  /// A nested message that is small enough to be made apart.
  package mutating func message(_ field: UInt64, _ body: (inout ProtobufWriter) -> Void) {
    var nested = ProtobufWriter()
    body(&nested)
    bytes(field, nested.bytes)
  }
}
