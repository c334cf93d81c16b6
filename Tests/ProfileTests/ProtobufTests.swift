import Base
@testable import Profile
import Testing

@Test func `fields are written as the encoding guide shows them`() {
  var writer = ProtobufWriter()
  writer.integer(1, UInt64(150))
  writer.string(2, "testing")
  writer.integer(3, Int64(-1))
  writer.integer(4, UInt64(0))
  #expect(
    writer.bytes == [
      0x08, 0x96, 0x01,  // field 1, varint 150
      0x12, 0x07, 0x74, 0x65, 0x73, 0x74, 0x69, 0x6e, 0x67,  // field 2, 7 bytes
      0x18, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01,  // field 3, -1 in ten bytes
    ])
}

@Test(arguments: [0, 1, 127, 128, 16383, 16384, UInt64.max >> 1, UInt64.max])
func `the size said is the size written`(value: UInt64) {
  var writer = ProtobufWriter()
  writer.varint(value)
  #expect(writer.bytes.count == ProtobufWriter.varintSize(value))
}

@Test func `a reader gives back fields of every kind and skips those it is not asked for`() throws {
  let bytes: [UInt8] = [
    0x09, 1, 2, 3, 4, 5, 6, 7, 8,  // field 1, fixed64
    0x15, 1, 2, 3, 4,  // field 2, fixed32
    0x1a, 0x03, 0x01, 0x80, 0x01,  // field 3, packed 1, 128
    0x18, 0x05,  // field 3 again, not packed
  ]
  var reader = ProtobufReader(bytes.span.bytes)
  var numbers: [UInt64] = []
  while let tag = try reader.next() {
    if tag.number == 3 {
      try reader.integers(tag, "numbers", appendingTo: &numbers, limit: 10)
    } else {
      try reader.skip(tag)
    }
  }
  #expect(numbers == [1, 128, 5])
}

@Test func `a list longer than its limit is refused`() throws {
  let bytes: [UInt8] = [0x1a, 0x03, 1, 2, 3]
  var reader = ProtobufReader(bytes.span.bytes)
  let tag = try #require(try reader.next())
  var numbers: [UInt64] = []
  let error = #expect(throws: MalformedInput.self) {
    try reader.integers(tag, "numbers", appendingTo: &numbers, limit: 1)
  }
  #expect(error?.problem == .overLimit(value: 2, limit: 1))
}

@Test func `a length beyond the end names the field`() throws {
  let bytes: [UInt8] = [0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]
  var reader = ProtobufReader(bytes.span.bytes)
  let tag = try #require(try reader.next())
  let error = #expect(throws: MalformedInput.self) { _ = try reader.delimited(tag, "name") }
  #expect(error?.field == "name")
}

@Test(arguments: [0x00, 0x0b, 0x0e] as [UInt8])
func `field 0, groups and unknown wire types are refused`(tag: UInt8) {
  let bytes: [UInt8] = [tag]
  var reader = ProtobufReader(bytes.span.bytes)
  #expect(throws: MalformedInput.self) { _ = try reader.next() }
}
