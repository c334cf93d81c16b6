@testable import DebugInfo
import Base
import Testing

/// Files whose units share what takes long to read: each unit is within its limits, and all of them together are not.
@Suite struct SharedPartsTests {
  private static let unitCount = 2_000

  /// Unit `i` has the code from `0x1000 * (i + 1)` on. All refer to the same table of abbreviations and the same line program.
  /// - Parameters:
  ///   - ranges: refer to a list at 0 of `.debug_ranges` in place of stating their own code.
  ///   - functions: of each unit, all with the name at 0 of `.debug_str`.
  private func info(unitCount: Int = unitCount, ranges: Bool = false, functions: Int = 0) -> [UInt8] {
    var info: [UInt8] = []
    for unit in 0..<UInt64(unitCount) {
      info += DwarfBytes.withLength {
        $0.u16(4)
        $0.u32(0)  // debug_abbrev_offset
        $0.u8(8)
        $0.u8(ranges ? 2 : 1)
        $0.u32(0)  // DW_AT_stmt_list
        if ranges {
          $0.u32(0)
        } else {
          $0.u64(0x1000 * (unit + 1))
          $0.u32(0x1000)
        }
        for function in 0..<UInt64(functions) {
          $0.u8(3)
          $0.u32(0)
          $0.u64(0x1000 * (unit + 1) + 16 * function)
          $0.u8(16)
        }
        $0.u8(0)
      }
    }
    return info
  }

  /// 1 a unit with lines, low and high; 2 one with lines and ranges; 3 a function with a name, low and high.
  private let abbreviations: [UInt8] = [
    1, 0x11, 1, 0x10, 0x17, 0x11, 0x01, 0x12, 0x06, 0, 0,
    2, 0x11, 1, 0x10, 0x17, 0x55, 0x17, 0, 0,
    3, 0x2e, 0, 0x03, 0x0e, 0x11, 0x01, 0x12, 0x0b, 0, 0,
  ]

  /// Of version 4, with `count` rows at 0.
  private func line(rows count: Int) -> [UInt8] {
    DwarfBytes.withLength {
      $0.u16(4)
      $0.u32(20)  // header_length
      $0.u8(1, 1, 1, 0xfb, 14, 13)
      $0.u8(0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1)  // standard_opcode_lengths
      $0.u8(0)
      $0.u8(0)
      $0.bytes += [UInt8](repeating: 1, count: count)  // DW_LNS_copy
    }
  }

  private func sections(_ info: [UInt8], abbreviations: [UInt8]? = nil, line: [UInt8] = [], ranges: [UInt8] = [], strings: [UInt8] = [0])
    -> [(name: String, bytes: [UInt8])]
  {
    [
      (".debug_info", info), (".debug_abbrev", abbreviations ?? self.abbreviations + [0]), (".debug_line", line),
      (".debug_ranges", ranges), (".debug_str", strings),
    ]
  }

  /// Of the program at the start of `.debug_line`.
  private func header(_ line: [UInt8]) throws -> LineHeader {
    var spans = SectionSpans(empty: line.borrowedBytes)
    spans.line = line.borrowedBytes
    let found = LineHeader(spans, at: 0, addressSize: 8)
    return try #require(found)
  }

  /// An address in each unit.
  private func addresses(_ step: UInt64 = 0x1000) -> [UInt64] { (0..<UInt64(Self.unitCount)).map { 0x1000 + step * $0 } }

  @Test(arguments: [1, 4], [false, true])
  func `two thousand units that share one long line program have nothing believed, whoever reads`(
    workers: Int, isCompressed: Bool
  ) throws {
    let plain = MadeProgram.file(sections(info(functions: 1), line: line(rows: 1 << 20), strings: [0x66, 0]))
    let bytes = isCompressed ? try PackedFixture.packing(plain) : plain
    let file = try DebugFile(OwnedBytes(bytes), workers: workers, streamsFrom: 0)
    let all = file.frames(at: addresses(), workers: workers)
    #expect(all.problem == WorkBudget.problem)
    #expect((0..<all.count).allSatisfy { all.frameCount(at: $0) == 0 })
    // A few of them are read as ever.
    let few = file.frames(at: [0x1000, 0x5004], workers: workers)
    #expect(few.problem == nil)
    #expect(few.frames(at: 1).map(\.function) == ["f"])
  }

  @Test func `units that share a list of ranges make no file`() throws {
    var ranges = DwarfBytes()
    // Nothing is between them, so that they do not count as ranges.
    for number in UInt64(1)...60_000 {
      ranges.u64(number)
      ranges.u64(number)
    }
    let bytes = MadeProgram.file(sections(info(ranges: true), ranges: ranges.bytes))
    let error = #expect(throws: MalformedInput.self) { _ = try DebugFile(OwnedBytes(bytes)) }
    #expect(error == WorkBudget.problem)
  }

  @Test func `units that share a long table of abbreviations have nothing believed`() throws {
    var table = abbreviations
    for code in UInt8(4)..<100 {
      table += [code, 0x34, 0]
      for _ in 0..<2_000 { table += [0x03, 0x08] }
      table += [0, 0]
    }
    let file = try DebugFile(OwnedBytes(MadeProgram.file(sections(info(functions: 1), abbreviations: table + [0]))))
    #expect(file.frames(at: addresses()).problem == WorkBudget.problem)
    #expect(file.frames(at: [0x1000]).problem == nil)
  }

  @Test func `names of 100 KB that many functions share do not fill the memory`() throws {
    let name = [UInt8](repeating: UInt8(ascii: "n"), count: 100_000)
    let file = try DebugFile(OwnedBytes(MadeProgram.file(sections(info(functions: 4), strings: name + [0]))))
    let frames = file.frames(at: addresses())
    #expect(frames.problem == WorkBudget.problem)
    #expect(frames.frames(at: 0).isEmpty)
    #expect(file.frames(at: [0x1000]).frames(at: 0).first?.function?.utf8.count == 100_000)
  }

  @Test func `a table of files that claims a billion entries of no bytes is read as far as the section goes`() throws {
    let line = DwarfBytes.withLength {
      $0.u16(5)
      $0.u8(8, 0)
      $0.u32(40)  // header_length
      $0.u8(1, 1, 1, 0xfb, 14, 1)
      for _ in 0..<2 {
        $0.u8(1, 1, 0x19)  // one field, DW_FORM_flag_present
        $0.u8(0xff, 0xff, 0xff, 0xff, 3)
      }
      $0.bytes += [UInt8](repeating: 0, count: 100)
    }
    let header = try self.header(line)
    #expect(header.files.count <= line.count && header.directories.count <= line.count)
  }

  @Test func `sequences that go over the same addresses again and again end, and the first of them counts`() throws {
    var program = DwarfBytes()
    for number in 0..<20_000 {
      program.u8(0, 9, 2)  // DW_LNE_set_address
      program.u64(0)
      program.u8(3, number == 0 ? 6 : 1)  // DW_LNS_advance_line
      program.u8(1)
      program.u8(2, 0xff, 0xff, 0x7f)  // DW_LNS_advance_pc
      program.u8(0, 1, 1)  // DW_LNE_end_sequence
    }
    var line = line(rows: 0)
    line += program.bytes
    let length = UInt32(line.count - 4)
    for index in 0..<4 { line[index] = UInt8(truncatingIfNeeded: length >> UInt32(8 * index)) }
    let rows = LineProgram.rows(try header(line), line.borrowedBytes, (0..<20_000).map { UInt64($0) })
    #expect(rows.allSatisfy { $0.line == 7 })
  }
}
