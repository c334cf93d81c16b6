@testable import DebugInfo
import Base
import Testing

/// Units no compiler writes, each made to keep a reader busy or lead it astray.
@Suite struct HostileUnitTests {
  /// Abbreviations: 1 a unit with children, 2 a function (origin, low, high), 3 an inlined function (origin, low, high) with
  /// children, 4 a function with a sibling, 5 an inlined function whose ranges are a list.
  private let abbreviations: [UInt8] = [
    1, 0x11, 1, 0, 0,
    2, 0x2e, 1, 0x31, 0x13, 0x11, 0x01, 0x12, 0x06, 0, 0,
    3, 0x1d, 1, 0x31, 0x13, 0x11, 0x01, 0x12, 0x06, 0, 0,
    4, 0x2e, 1, 0x01, 0x13, 0, 0,
    5, 0x1d, 0, 0x31, 0x13, 0x55, 0x17, 0, 0,
    0,
  ]

  /// A version 4 unit with the entries that `body` writes.
  private func unit(_ body: (inout DwarfBytes) -> Void) -> [UInt8] {
    DwarfBytes.withLength { unit in
      unit.u16(4)
      unit.u32(0)  // debug_abbrev_offset
      unit.u8(8)  // address_size
      unit.u8(1)  // the unit's own entry
      body(&unit)
    }
  }

  private func code(_ entry: inout DwarfBytes, _ abbreviation: UInt8, origin: UInt32, _ low: UInt64, _ byteCount: UInt32) {
    entry.u8(abbreviation)
    entry.u32(origin)
    entry.u64(low)
    entry.u32(byteCount)
  }

  @Test func `an entry that is its own origin has no name, and its code is found`() {
    // The first function stands at 12.
    let info = unit { code(&$0, 2, origin: 12, 0x100, 0x10) }
    let frames = SectionSet(info: info, abbreviations: abbreviations).frames([0x104])
    #expect(frames == [[DebugFrame(function: nil, file: nil, line: nil, column: nil, startLine: nil, isInlined: false)]])
  }

  @Test func `two entries that are each other's origin end the search for a name`() {
    let info = unit {
      code(&$0, 2, origin: 30, 0x100, 0x10)
      $0.u8(0)
      code(&$0, 2, origin: 12, 0x200, 0x10)
    }
    #expect(SectionSet(info: info, abbreviations: abbreviations).frames([0x104, 0x204]).map(\.count) == [1, 1])
  }

  @Test func `a sibling that points back or outside is not followed`() {
    for sibling: UInt32 in [0, 11, 12, 0xffff_ffff, 0x7fff_ffff] {
      let info = unit {
        $0.u8(4)
        $0.u32(sibling)
        $0.u8(0)
        code(&$0, 2, origin: 0, 0x100, 0x10)
      }
      #expect(SectionSet(info: info, abbreviations: abbreviations).frames([0x104]).map(\.count) == [1])
    }
  }

  @Test func `of inlined functions ten thousand deep the innermost and the outermost are given`() {
    let info = unit {
      code(&$0, 2, origin: 0, 0x100, 0x10)
      for _ in 0..<10_000 { code(&$0, 3, origin: 0, 0x100, 0x10) }
    }
    let frames = SectionSet(info: info, abbreviations: abbreviations).frames([0x104])[0]
    #expect(frames.count == UnitReader.maximumDepth)
    #expect(frames.last?.isInlined == false && frames.dropLast().allSatisfy(\.isInlined))
  }

  @Test func `a chain that is too long keeps the line of its outermost call`() {
    // 6: an inlined function with a call line, and children.
    let table = abbreviations.dropLast() + [6, 0x1d, 1, 0x59, 0x05, 0x11, 0x01, 0x12, 0x06, 0, 0, 0]
    let info = unit {
      code(&$0, 2, origin: 0, 0x100, 0x10)
      for line in UInt16(1)...1_000 {
        $0.u8(6)
        $0.u16(line)
        $0.u64(0x100)
        $0.u32(0x10)
      }
    }
    let frames = SectionSet(info: info, abbreviations: Array(table)).frames([0x104])[0]
    #expect(frames.count == UnitReader.maximumDepth)
    #expect(frames[1].line == 1_000)
    #expect(frames.last?.line == 1)
  }

  @Test func `thousands of addresses in a deep chain do not make millions of frames`() {
    let info = unit {
      code(&$0, 2, origin: 0, 0x100, 0x10000)
      for _ in 0..<1_000 { code(&$0, 3, origin: 0, 0x100, 0x10000) }
    }
    let frames = SectionSet(info: info, abbreviations: abbreviations).frames((0x100..<0x1100).map { UInt64($0) })
    #expect(frames.reduce(0) { $0 + $1.count } < 400_000)
    #expect(frames.allSatisfy { $0.count >= 2 && $0.last?.isInlined == false })
  }

  @Test func `one long range list named by thousands of entries is given up, not read for ever`() {
    var ranges = DwarfBytes()
    for number in UInt64(0)..<50_000 {
      ranges.u64(0x1000 + number * 16)
      ranges.u64(0x1008 + number * 16)
    }
    let info = unit {
      code(&$0, 2, origin: 0, 0x100, 0x10)
      for _ in 0..<20_000 {
        $0.u8(5)
        $0.u32(0)
        $0.u32(0)  // the list at 0
      }
    }
    let set = SectionSet(info: info, abbreviations: abbreviations, ranges: ranges.bytes)
    #expect(set.frames([0x104]).first?.first?.isInlined == false)
  }

  @Test func `a list of ranges that is not ended ends with its section`() {
    var ranges = DwarfBytes()
    ranges.u64(0x100)
    ranges.u64(0x110)
    let info = unit {
      code(&$0, 2, origin: 0, 0x100, 0x20)
      $0.u8(5)
      $0.u32(0)
      $0.u32(0)
    }
    let frames = SectionSet(info: info, abbreviations: abbreviations, ranges: ranges.bytes).frames([0x104, 0x114])
    #expect(frames.map(\.count) == [2, 1])
  }

  @Test func `a code without an abbreviation ends the unit`() {
    let info = unit {
      $0.u8(99)
      code(&$0, 2, origin: 0, 0x100, 0x10)
    }
    #expect(SectionSet(info: info, abbreviations: abbreviations).frames([0x104]) == [[]])
  }

  @Test func `abbreviations of huge codes are found, and take no more room than they have`() {
    let code: [UInt8] = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]
    let table: [UInt8] = [1, 0x11, 1, 0, 0] + code + [0x2e, 0, 0x11, 0x01, 0x12, 0x0b, 0, 0, 0]
    let info = unit {
      $0.bytes += code
      $0.u64(0x100)
      $0.u8(0x10)
    }
    #expect(SectionSet(info: info, abbreviations: table).frames([0x104]).map(\.count) == [1])
  }

  @Test func `a unit that says it is longer than the section is read as far as it goes`() {
    var info = unit { code(&$0, 2, origin: 0, 0x100, 0x10) }
    info[2] = 0x7f
    #expect(SectionSet(info: info, abbreviations: abbreviations).frames([0x104]).map(\.count) == [1])
  }

  @Test func `units of no length or a reserved one end the list`() {
    for length: [UInt8] in [[0, 0, 0, 0], [0xf5, 0xff, 0xff, 0xff], [0xff, 0xff, 0xff, 0xff]] {
      #expect(UnitHeader.all((length + [UInt8](repeating: 0, count: 64)).borrowedBytes).isEmpty)
    }
  }

  @Test func `a package index whose slots are all taken by others ends the search`() {
    var index = DwarfBytes()
    for number: UInt32 in [2, 1, 4, 4] { index.u32(number) }  // version, columns, units, slots
    for _ in 0..<4 { index.u64(5) }
    for row: UInt32 in 1...4 { index.u32(row) }
    index.u32(1)
    for _ in 0..<8 { index.u32(0) }
    #expect(PackageIndex.find(6, in: index.bytes.borrowedBytes) == nil)
    #expect(PackageIndex.find(5, in: index.bytes.borrowedBytes) != nil)
  }

  @Test func `a unit that does not say which code is its own has the code of its functions`() {
    let info = unit {
      code(&$0, 2, origin: 0, 0x100, 0x10)
      code(&$0, 3, origin: 0, 0x104, 0x4)
      $0.u8(0, 0)
      code(&$0, 2, origin: 0, 0x200, 0x10)
    }
    var spans = SectionSpans(empty: info.borrowedBytes)
    spans.info = info.borrowedBytes
    spans.abbreviations = abbreviations.borrowedBytes
    let header = UnitHeader.all(spans.info)[0]
    let table = AbbreviationTable(spans.abbreviations, at: 0, header.format)
    var walk = FunctionWalk(spans, Unit(header, table, spans), table, targets: [], isExhaustive: false)
    let found = walk.allCode()
    #expect(found == [CodeRange(start: 0x100, end: 0x110), CodeRange(start: 0x200, end: 0x210)])
  }
}
