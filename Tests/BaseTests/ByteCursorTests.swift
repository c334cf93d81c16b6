import Base
import Testing

struct ByteCursorTests {
  @Test func `numbers are little-endian and a short one names its field and offset`() {
    let bytes: [UInt8] = [0x01, 0x02, 0x03, 0x04, 0xff]
    var cursor = ByteCursor(bytes.borrowedBytes)
    #expect((try? cursor.read("first", as: UInt32.self)) == 0x0403_0201)
    let error = #expect(throws: MalformedInput.self) {
      var cursor = ByteCursor(bytes.borrowedBytes)
      try cursor.skip(4, "head")
      _ = try cursor.read("second", as: UInt16.self)
    }
    #expect(error?.field == "second")
    #expect(error?.offset == FileOffset(4))
    #expect(error?.problem == .truncated(needed: 2, remaining: 1))
  }

  @Test(arguments: [0, 1, 127, 128, 300, UInt64(UInt32.max), UInt64.max])
  func `an unsigned LEB128 comes back as it was written`(value: UInt64) throws {
    var writer = ByteWriter()
    writer.uleb128(value)
    let bytes = writer.bytes
    var cursor = ByteCursor(bytes.borrowedBytes)
    #expect(try cursor.uleb128("value") == value)
    let isAtEnd = cursor.isAtEnd
    #expect(isAtEnd)
    for length in 0..<bytes.count {
      #expect(throws: MalformedInput.self) {
        let cut = Array(bytes.prefix(length))
        var cursor = ByteCursor(cut.borrowedBytes)
        _ = try cursor.uleb128("value")
      }
    }
  }

  @Test(arguments: [0, -1, 1, Int64.min, Int64.max, -300])
  func `a zigzag number comes back as it was written`(value: Int64) throws {
    var writer = ByteWriter()
    writer.zigzag(value)
    let bytes = writer.bytes
    var cursor = ByteCursor(bytes.borrowedBytes)
    #expect(try cursor.zigzag("value") == value)
  }

  @Test func `a LEB128 of more than 64 bits is refused`() {
    let bytes: [UInt8] = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]
    #expect(throws: MalformedInput.self) {
      var cursor = ByteCursor(bytes.borrowedBytes)
      _ = try cursor.uleb128("value")
    }
  }

  @Test func `a signed LEB128 extends its sign`() throws {
    // -2 and 128, as DWARF 5 figure 7.6 has them.
    let bytes: [UInt8] = [0x7e, 0x80, 0x01]
    var cursor = ByteCursor(bytes.borrowedBytes)
    #expect(try cursor.sleb128("first") == -2)
    #expect(try cursor.sleb128("second") == 128)
  }

  @Test func `a string without its NUL is cut short`() {
    let bytes: [UInt8] = [0x61, 0x62]
    #expect(throws: MalformedInput.self) {
      var cursor = ByteCursor(bytes.borrowedBytes)
      _ = try cursor.cString("name")
    }
  }
}

struct CRC32Tests {
  @Test func `the check value of the polynomial comes out at every length of input`() {
    // CRC-32/ISO-HDLC of "123456789".
    #expect(CRC32.of(Array("123456789".utf8).borrowedBytes) == 0xcbf4_3926)
    let bytes = (0..<100).map { UInt8($0) }
    for cut in 0..<100 {
      var inTwo = CRC32()
      inTwo.update(Array(bytes.prefix(cut)).borrowedBytes)
      inTwo.update(Array(bytes.dropFirst(cut)).borrowedBytes)
      #expect(inTwo.value == CRC32.of(bytes.borrowedBytes))
    }
  }
}

struct BuildIDTests {
  @Test func `hexadecimal goes both ways and anything else is refused`() {
    #expect(BuildID(hex: "00ffAB")?.hex == "00ffab")
    #expect(BuildID(hex: "0") == nil)
    #expect(BuildID(hex: "zz") == nil)
    #expect(BuildID([]) == nil)
    #expect(BuildID([UInt8](repeating: 1, count: 65)) == nil)
  }
}
