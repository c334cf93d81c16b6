import Base
import ObjectFile
import TestSupport
import Testing

@Suite struct ElfCopyPlanTests {
  private func plan(_ bytes: [UInt8], _ mode: ElfCopyPlan.Mode = .symbols) -> ElfCopyPlan {
    ElfCopyPlan(byteCount: UInt64(bytes.count), mode: mode) { offset, count in
      guard offset.rawValue < UInt64(bytes.count) else { return [] }
      let start = Int(offset.rawValue)
      return Array(bytes[start..<min(bytes.count, start + count)])
    }
  }

  /// The file that extraction would write.
  private func copy(_ bytes: [UInt8], by plan: ElfCopyPlan) -> [UInt8] {
    var copy = [UInt8](repeating: 0, count: bytes.count)
    for extent in plan.extents {
      let start = Int(extent.fileOffset.rawValue)
      var chunk = Array(bytes[start..<(start + Int(extent.byteCount))])
      plan.applyPatches(to: &chunk, at: extent.fileOffset)
      copy.replaceSubrange(start..<(start + chunk.count), with: chunk)
    }
    return copy
  }

  private func check(_ plan: ElfCopyPlan, of byteCount: Int) {
    var end: UInt64 = 0
    for (index, extent) in plan.extents.enumerated() {
      #expect(extent.byteCount > 0)
      #expect(index == 0 || extent.fileOffset.rawValue > end)
      end = extent.fileOffset.rawValue + extent.byteCount
      #expect(end <= UInt64(byteCount))
    }
  }

  @Test func `what is no ELF file has an empty plan`() {
    let plan = plan(Array("#!/bin/sh\n".utf8))
    #expect(!plan.isELF)
    #expect(plan.extents.isEmpty)
    #expect(ElfIdentification(prefix: [0x7f, 0x45, 0x4c, 0x46, 2, 2, 1].borrowedBytes) == .unsupported)
  }

  @Test(arguments: FixtureBinary.names)
  func `a copy of the needed parts has the original's symbols, stubs, links and build ID`(name: String) throws {
    let bytes = try FixtureBinary.bytes(name)
    let plan = plan(bytes)
    check(plan, of: bytes.count)
    #expect(plan.isELF)
    #expect(plan.problem == nil)
    let copied = copy(bytes, by: plan)
    let original = try ElfFile(bytes.borrowedBytes)
    let copy = try ElfFile(copied.borrowedBytes)
    #expect(plan.buildID == original.buildID)
    #expect(copy.buildID == original.buildID)
    #expect(copy.header == original.header)
    #expect(copy.segments == original.segments)
    #expect(plan.layout == original.layout)
    let (stubs, copiedStubs) = (PLTStubs.stubs(of: original), PLTStubs.stubs(of: copy))
    #expect(stubs == copiedStubs)
    let links = (try copy.debugLink(), try original.debugLink())
    #expect(links.0 == links.1)
    let (all, copiedAll) = (symbols(original.symbolTable), symbols(copy.symbolTable))
    #expect(all == copiedAll)
    let (dynamic, copiedDynamic) = (symbols(original.dynamicSymbolTable), symbols(copy.dynamicSymbolTable))
    #expect(dynamic == copiedDynamic)
  }

  private struct NamedSymbol: Equatable {
    var symbol: ElfSymbol
    var name: String
  }

  private func symbols(_ table: ElfSymbolTable?) -> [NamedSymbol] {
    guard let table else { return [] }
    return (0..<table.count).map { NamedSymbol(symbol: table[$0], name: table.name(at: table[$0].nameOffset).text()) }
  }

  @Test func `code and debug information are left out and say that they have no bytes`() throws {
    let bytes = try FixtureBinary.bytes("compressed")
    let plan = plan(bytes)
    let copied = copy(bytes, by: plan)
    let copy = try ElfFile(copied.borrowedBytes)
    for name: StaticString in [".text", ".rodata", ".data", ".debug_info", ".debug_line"] {
      let section = try required(copy.section(named: name)).section
      #expect(section.kind == .noBits, "\(name)")
      #expect(!section.isCompressed)
    }
    for name: StaticString in [".symtab", ".strtab", ".dynsym", ".dynstr", ".eh_frame", ".eh_frame_hdr", ".plt", ".rela.plt"] {
      let section = try required(copy.section(named: name)).section
      #expect(section.kind != .noBits, "\(name)")
    }
    #expect(plan.byteCount < UInt64(bytes.count))
  }

  @Test func `a full copy is the whole file, unpatched`() throws {
    let bytes = try FixtureBinary.bytes("pie")
    let plan = plan(bytes, .full)
    #expect(plan.extents == [.init(fileOffset: FileOffset(0), byteCount: UInt64(bytes.count))])
    #expect(copy(bytes, by: plan) == bytes)
    #expect(plan.buildID?.hex == "4983e83b4c2604a7f4eb5add3d487bb03496ac29")
  }

  @Test func `a small file without section headers is kept whole`() throws {
    let bytes = try FixtureBinary.withoutSectionHeaders("pie")
    let plan = plan(bytes)
    #expect(plan.extents == [.init(fileOffset: FileOffset(0), byteCount: UInt64(bytes.count))])
  }

  @Test func `of a large file without section headers what is mapped and no code is kept`() throws {
    var bytes = try FixtureBinary.withoutSectionHeaders("libarm.so")
    bytes += [UInt8](repeating: 0, count: Int(ElfCopyPlan.wholeFileByteCount))
    let plan = plan(bytes)
    check(plan, of: bytes.count)
    let copied = copy(bytes, by: plan)
    let found = symbols(try ElfFile(copied.borrowedBytes).dynamicSymbolTable)
    #expect(found.contains { $0.name == "exported" })
    #expect(plan.byteCount < 4096)
  }

  @Test func `patches reach the chunks they fall into, however a copy is cut up`() throws {
    let bytes = try FixtureBinary.bytes("pie")
    let plan = plan(bytes)
    let whole = copy(bytes, by: plan)
    for size in [1, 7, 100, 4096] {
      var pieces = [UInt8](repeating: 0, count: bytes.count)
      for extent in plan.extents {
        var at = Int(extent.fileOffset.rawValue)
        let end = at + Int(extent.byteCount)
        while at < end {
          let next = min(at + size, end)
          var chunk = Array(bytes[at..<next])
          plan.applyPatches(to: &chunk, at: FileOffset(UInt64(at)))
          pieces.replaceSubrange(at..<next, with: chunk)
          at = next
        }
      }
      #expect(pieces == whole)
    }
  }

  @Test(arguments: FixtureBinary.names)
  func `a file cut anywhere or with any bit flipped gets a plan within its bounds`(name: String) throws {
    let bytes = try FixtureBinary.bytes(name)
    var random = SeededGenerator(seed: 1)
    for length in stride(from: 0, to: bytes.count, by: max(1, bytes.count / 500)) {
      let cut = Array(bytes[..<length])
      check(plan(cut), of: length)
    }
    for _ in 0..<2_000 {
      var damaged = bytes
      // Half of the flips hit the headers, where they hurt most.
      let limit = Bool.random(using: &random) ? 64 + 12 * 56 : bytes.count
      let index = Int.random(in: 0..<limit, using: &random)
      damaged[index] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      for mode in [ElfCopyPlan.Mode.symbols, .full] { check(plan(damaged, mode), of: bytes.count) }
    }
  }

  @Test func `a file that says it is larger than what can be read gets a plan all the same`() throws {
    let bytes = try FixtureBinary.bytes("pie")
    let plan = ElfCopyPlan(byteCount: 1 << 40, mode: .symbols) { offset, count in
      let start = Int(min(offset.rawValue, UInt64(bytes.count)))
      return Array(bytes[start..<min(bytes.count, start + count)])
    }
    #expect(plan.isELF)
    check(plan, of: 1 << 40)
  }

  @Test func `a failure to read is passed on`() {
    let error = #expect(throws: SystemCallError.self) {
      try ElfCopyPlan(byteCount: 1000, mode: .symbols) { (_, _) throws(SystemCallError) in
        throw SystemCallError(call: "pread", path: "app", code: 5)
      }
    }
    #expect(error?.code == 5)
  }
}
