@testable import DebugInfo
import Base
import Testing

/// Line number programs, byte by byte (DWARF 4, section 6.2).
@Suite struct LineProgramTests {
  /// A version 4 table of one file, whose program is `program`.
  private func table(
    minimumInstructionLength: UInt8 = 1, maximumOperations: UInt8 = 1, lineRange: UInt8 = 14, opcodeBase: UInt8 = 13,
    _ program: [UInt8]
  ) -> [UInt8] {
    DwarfBytes.withLength { table in
      table.u16(4)  // version
      var header = DwarfBytes()
      header.u8(minimumInstructionLength, maximumOperations, 1)  // …, default_is_stmt
      header.u8(UInt8(bitPattern: -5), lineRange, opcodeBase)
      let operands: [UInt8] = [0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1]
      header.bytes += operands.prefix(max(0, Int(opcodeBase) - 1))
      header.u8(0)  // no directories
      header.text("a.c")
      header.u8(0, 0, 0, 0)  // directory, time, size; no more files
      table.u32(UInt32(header.bytes.count))
      table.bytes += header.bytes + program
    }
  }

  private func setAddress(_ address: UInt64) -> [UInt8] {
    var bytes = DwarfBytes()
    bytes.u8(0, 9, 2)  // DW_LNE_set_address
    bytes.u64(address)
    return bytes.bytes
  }

  private func lines(_ table: [UInt8], _ targets: [UInt64]) -> [UInt32?] {
    var spans = SectionSpans(empty: table.borrowedBytes)
    spans.line = table.borrowedBytes
    guard let header = LineHeader(spans, at: 0, addressSize: 8) else { return [] }
    return LineProgram.rows(header, table.borrowedBytes, targets).map { $0.file == LineRow.noFile ? nil : $0.line }
  }

  private let end: [UInt8] = [0, 1, 1]  // DW_LNE_end_sequence

  @Test func `a row lasts until the next one, and the last one until the sequence ends`() {
    // Special opcode 13 + 5 + 14 * 4 + 1: 4 bytes on, 1 line on.
    let program = setAddress(0x100) + [1, 75, 2, 6] + end
    #expect(lines(table(program), [0xff, 0x100, 0x103, 0x104, 0x109, 0x10a]) == [nil, 1, 1, 2, 2, nil])
  }

  @Test func `of several rows at one address the last counts`() {
    let program = setAddress(0x100) + [1, 3, 9, 1, 3, 5, 1, 2, 4] + end
    #expect(lines(table(program), [0x100]) == [15])
  }

  @Test func `sequences may come in any order, and the first to have an address keeps it`() {
    let second = setAddress(0x200) + [3, 20, 1, 2, 8] + end
    let first = setAddress(0x100) + [3, 10, 1, 2, 8] + end
    let again = setAddress(0x100) + [3, 30, 1, 2, 8] + end
    #expect(lines(table(second + first + again), [0x104, 0x204]) == [11, 21])
  }

  @Test func `addresses advance by whole instructions, and in bundles by whole bundles`() {
    // DW_LNS_advance_pc 3, then a row.
    let program = setAddress(0x100) + [1, 2, 3, 3, 1, 1, 2, 3] + end
    #expect(lines(table(minimumInstructionLength: 4, program), [0x10b, 0x10c, 0x117, 0x118]) == [1, 2, 2, nil])
    // Three operations to a bundle of 16 bytes: 3 operations are one bundle.
    let bundles = table(minimumInstructionLength: 16, maximumOperations: 3, program)
    #expect(lines(bundles, [0x10f, 0x110, 0x11f, 0x120]) == [1, 2, 2, nil])
  }

  @Test func `an opcode of a later version is gone past by its number of operands`() {
    // Opcode base 10 makes 10 to 12 special; an unknown extended opcode takes its length.
    let program = setAddress(0x100) + [0, 3, 0x80, 1, 2, 1, 2, 4] + end
    #expect(lines(table(program), [0x100]) == [1])
  }

  @Test func `a line range of 0 divides nothing`() {
    #expect(lines(table(lineRange: 0, setAddress(0x100) + [1, 200, 8, 2, 4] + end), [0x101]) == [1])
  }

  @Test func `an opcode base of 0 makes every opcode a special one`() {
    #expect(lines(table(opcodeBase: 0, setAddress(0x100) + [1] + end), [0x101]).count == 1)
  }

  @Test func `a program cut at any length gives no lines or the same ones`() {
    let whole = table(setAddress(0x100) + [1, 75, 2, 6] + end)
    for length in 0..<whole.count {
      for line in lines(Array(whole[..<length]), [0x100, 0x104]) { #expect(line == nil || line == 1 || line == 2) }
    }
  }
}
