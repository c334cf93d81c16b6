import Base
import ObjectFile
import Symbolize
import TestSupport
import Testing

/// Go programs of one function, `main.main`, 100 bytes long: line 5 of main.go up to its middle and line 9 behind, where it is
/// `main.inner`, inlined. The tables are the seeds of the fuzzer, the file around them is made here.
@Suite struct GoFramesTests {
  static let layouts = ["fffffffb", "fffffffa", "fffffff0", "fffffff1"]
  private static let address: UInt64 = 0x40_0000

  private static func little<Value: FixedWidthInteger>(_ value: Value) -> [UInt8] {
    (0..<MemoryLayout<Value>.size).map { UInt8(truncatingIfNeeded: value >> (8 * Value($0))) }
  }

  private static func table(_ layout: String) throws -> [UInt8] {
    Array(try contents(of: Command.repository + "/Fuzz/corpus/gopclntab/" + layout, limit: 1 << 16).dropFirst())
  }

  /// An ELF file without sections, its one segment the table and, for those that need one, the runtime's `moduledata` and a call.
  private static func file(_ layout: String, table: [UInt8]) -> [UInt8] {
    var data = table
    while data.count % 8 != 0 { data.append(0) }
    let names = UInt64(table.count) > 40 ? table[32..<40].enumerated().reduce(UInt64(0)) { $0 | UInt64($1.element) << (8 * $1.offset) } : 0
    let moduleWords = 41
    let calls = address + UInt64(data.count + 8 * moduleWords)
    var words = [UInt64](repeating: 0, count: moduleWords)
    words[0] = address
    words[1] = address &+ names
    words[22] = address
    let place = layout == "fffffff1" ? 40 : 38
    words[place - 1] = calls
    words[place] = calls
    for word in words { data += little(word) }
    if layout == "fffffff1" {
      data += little(UInt32(0)) + little(UInt32(11)) + little(UInt32(10)) + little(UInt32(20))
    } else {
      data += little(Int16(-1)) + [0, 0] + little(UInt32(0)) + little(UInt32(1)) + little(UInt32(11)) + little(UInt32(10))
    }
    var bytes: [UInt8] = [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    bytes += little(UInt16(2)) + little(UInt16(62)) + little(UInt32(1)) + little(UInt64(0)) + little(UInt64(64)) + little(UInt64(0))
    bytes += little(UInt32(0))
    for value: UInt16 in [64, 56, 1, 64, 0, 0] { bytes += little(value) }
    bytes += little(UInt32(1)) + little(UInt32(4))  // PT_LOAD, readable
    for value in [128, address, address, UInt64(data.count), UInt64(data.count), 32] { bytes += little(value) }
    return bytes + [UInt8](repeating: 0, count: 8) + data
  }

  private func frames(_ bytes: [UInt8], at offset: UInt64) throws -> [Frame]? {
    guard var go = GoFrames(try ImageBytes(bytes)) else { return nil }
    return go.frames(at: ImageAddress(Self.address + offset))
  }

  @Test(arguments: layouts) func `every layout gives the function, its file and the line of the instruction`(layout: String) throws {
    let file = Self.file(layout, table: try Self.table(layout))
    let startLine: UInt32? = layout == "fffffff1" ? 3 : nil
    let first = Frame(function: "main.main", file: "main.go", line: 5, startLine: startLine)
    #expect(try frames(file, at: 0) == [first])
    #expect(try frames(file, at: 49) == [first])
    #expect(try frames(file, at: 100) == nil)
    let last = try frames(file, at: 99)
    #expect(last?.first?.line == 9)
    #expect(last?.last?.function == "main.main")
  }

  @Test(arguments: ["fffffff0", "fffffff1"]) func `an inlined call has its own frame, and its caller the line of the call`(
    layout: String
  ) throws {
    let found = try frames(Self.file(layout, table: try Self.table(layout)), at: 60)
    let isNew = layout == "fffffff1"
    #expect(
      found == [
        Frame(function: "main.inner", file: "main.go", line: 9, startLine: isNew ? 20 : nil),
        Frame(function: "main.main", file: "main.go", line: 5, startLine: isNew ? 3 : nil),
      ])
  }

  /// The file with sections: the table, the runtime's structure, the calls, and something that nobody needs.
  /// - Parameter relocations: before those that put the structure's addresses in, which then has none itself; `nil` for none.
  private static func sectioned(_ layout: String, table: [UInt8], relocations: Int? = nil) -> [UInt8] {
    var bytes = file(layout, table: table)
    let module = 128 + (table.count + 7) / 8 * 8
    let calls = module + 8 * 41
    let end = bytes.count
    bytes += [UInt8](repeating: 0x55, count: 4096)
    var parts: [(name: String, start: Int, end: Int)] = [
      (".gopclntab", 128, 128 + table.count), (".noptrdata", module, calls), (".rodata", calls, end), (".bulk", end, end + 4096),
    ]
    if let relocations {
      parts[0].name = ".data.rel.ro.gopclntab"
      let start = bytes.count
      for _ in 0..<relocations { bytes += little(UInt64(0x1000)) + little(UInt64(8)) + little(UInt64(0x55_5555)) }
      for word in 0..<41 {
        let place = module + 8 * word
        let value = bytes[place..<place + 8].enumerated().reduce(UInt64(0)) { $0 | UInt64($1.element) << (8 * $1.offset) }
        guard value != 0 else { continue }
        bytes += little(address + UInt64(place - 128)) + little(UInt64(8)) + little(value)
        bytes.replaceSubrange(place..<place + 8, with: [UInt8](repeating: 0, count: 8))
      }
      parts.append((".rela.dyn", start, bytes.count))
    }
    var names: [UInt8] = [0]
    var headers = [UInt8](repeating: 0, count: 64)
    func header(_ kind: UInt32, _ flags: UInt64, _ address: UInt64, _ start: Int, _ byteCount: Int) {
      headers += little(UInt32(names.count)) + little(kind) + little(flags) + little(address)
      headers += little(UInt64(start)) + little(UInt64(byteCount)) + little(UInt64(0)) + little(UInt64(8)) + little(UInt64(0))
    }
    for part in parts {
      let isElsewhere = part.name == ".bulk" || part.name == ".rela.dyn"
      header(
        part.name == ".rela.dyn" ? 4 : 1, 2, isElsewhere ? 0 : address + UInt64(part.start - 128), part.start, part.end - part.start)
      names += Array(part.name.utf8) + [0]
    }
    header(3, 0, 0, bytes.count, names.count + 10)
    names += Array(".shstrtab".utf8) + [0]
    bytes += names
    while bytes.count % 8 != 0 { bytes.append(0) }
    bytes.replaceSubrange(40..<48, with: little(UInt64(bytes.count)))
    bytes.replaceSubrange(58..<64, with: little(UInt16(64)) + little(UInt16(parts.count + 2)) + little(UInt16(parts.count + 1)))
    return bytes + headers
  }

  /// Those of position-independent programs have their addresses in relocations: few, which a copy keeps, or many, which it does not.
  @Test(arguments: ["fffffff0", "fffffff1"], [nil, 10, 60_000])
  func `a copy of what names need has the inlined calls, and not the rest of the data`(layout: String, relocations: Int?) throws {
    let whole = Self.sectioned(layout, table: try Self.table(layout), relocations: relocations)
    let plan = ElfCopyPlan(byteCount: UInt64(whole.count), mode: .symbols) { offset, count in
      let start = min(Int(clamping: offset.rawValue), whole.count)
      return Array(whole[start..<min(start + count, whole.count)])
    }
    var copy = [UInt8](repeating: 0, count: whole.count)
    for extent in plan.extents {
      let range = Int(extent.fileOffset.rawValue)..<Int(extent.fileOffset.rawValue + extent.byteCount)
      var part = Array(whole[range])
      plan.applyPatches(to: &part, at: extent.fileOffset)
      copy.replaceSubrange(range, with: part)
    }
    #expect(try frames(copy, at: 60) == frames(whole, at: 60))
    #expect(try frames(copy, at: 60)?.first?.function == "main.inner")
    #expect(copy.count { $0 == 0x55 } < 100)
  }

  @Test(arguments: layouts) func `a damaged table is answered without a trap and without an end of its own`(layout: String) throws {
    let whole = Self.file(layout, table: try Self.table(layout))
    let addresses = stride(from: UInt64(0), to: 110, by: 9)
    for place in whole.indices.dropFirst(64) {
      for bit in [0, 3, 7] {
        var damaged = whole
        damaged[place] ^= 1 << UInt8(bit)
        for address in addresses { #expect(try frames(damaged, at: address)?.isEmpty != true) }
      }
    }
    for count in stride(from: 128, to: whole.count, by: 3) { #expect(try frames(Array(whole[..<count]), at: 60)?.isEmpty != true) }
  }
}
