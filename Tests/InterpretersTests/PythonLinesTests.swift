@testable import Interpreters
import Testing

@Suite struct PythonLinesTests {
  @Test("an instruction before the first one has the line its code begins at", arguments: PythonLineFormat.allCases)
  func beforeTheFirst(_ format: PythonLineFormat) {
    #expect(format.line(of: 0, in: [], first: 7) == 7)
  }

  /// Lines of the instructions, `nil` for none, counted in units of two bytes.
  private func lines(_ format: PythonLineFormat, _ table: [UInt8], first: UInt32, count: UInt32) -> [UInt32?] {
    (1...count).map { format.line(of: $0, in: table, first: first) }
  }

  @Test("signed pairs say how far instructions and lines advance, lines also backwards")
  func signedPairs() {
    let table: [UInt8] = [
      0, 1,  // line 11 from the first byte
      4, 2,  // line 13 from byte 4
      6, 0xff,  // line 12 from byte 10
    ]
    #expect(lines(.signedPairs, table, first: 10, count: 7) == [11, 11, 13, 13, 13, 12, 12])
  }

  @Test("pairs of 3.10 end where the next begins, and -128 is no line")
  func pairs() {
    let table: [UInt8] = [
      4, 1,  // bytes 0 to 3: line 11
      2, 0x80,  // bytes 4 and 5: none
      4, 0xfe,  // bytes 6 to 9: line 9
    ]
    #expect(lines(.pairs, table, first: 10, count: 6) == [11, 11, nil, 9, 9, nil])
  }

  @Test("every kind of location entry of 3.11 is understood")
  func locations() {
    let table: [UInt8] = [
      0x80 | 0 << 3 | 1, 0x22,  // short form, two units: the same line
      0x80 | 11 << 3 | 0, 1, 2,  // one line, one unit: one line on
      0x80 | 13 << 3 | 0, 0x05,  // no columns, one unit: two lines back
      0x80 | 15 << 3 | 0,  // no location, one unit
      0x80 | 14 << 3 | 2, 0x40 | 0x08, 0x02, 0x01, 0x02, 0x03,  // long, three units: 8 + 2 * 64 = 136, so 68 lines on
    ]
    #expect(lines(.locations, table, first: 10, count: 9) == [10, 10, 11, 9, nil, 77, 77, 77, nil])
  }

  @Test("a table cut short, or of any bytes, gives a line or none and never traps", arguments: PythonLineFormat.allCases)
  func anything(_ format: PythonLineFormat) {
    var state: UInt64 = 88_172_645_463_325_252
    func random() -> UInt8 {
      state ^= state << 13
      state ^= state >> 7
      state ^= state << 17
      return UInt8(truncatingIfNeeded: state)
    }
    var answers = 0
    for length in 0..<200 {
      let table = (0..<length).map { _ in random() }
      for unit in [UInt32(1), 2, 60, 1 << 27] where format.line(of: unit, in: table, first: .max) != nil { answers += 1 }
    }
    #expect(answers < 800)
  }
}
