import Base
import ObjectFile
import TestSupport
import Testing
import Unwind

/// Functions without call frames, in programs without a dynamic loader.
@Suite struct StackCodeTests {
  private let start = MadeFile.codeAddress

  private func table(_ code: [UInt8]) throws -> UnwindTable {
    var file = MadeFile()
    file.code = code + [UInt8](repeating: 0xcc, count: 0x200 - code.count)
    file.entry = start + 0x1f0
    file.functions = [(0, UInt64(code.count))]
    return try UnwindTableBuilder.build(file.bytes.borrowedBytes)
  }

  /// The CFA's distance from the stack pointer and where the frame pointer is; `nil` without a rule.
  private func found(_ table: UnwindTable, _ offset: UInt64) -> [Int32]? {
    table.rule(numbered: table.rule(at: ImageAddress(start + offset))).map {
      [$0.cfaRegister == 1 ? $0.cfaOffset : -$0.cfaOffset, $0.fpKind == 1 ? $0.fpOffset : 0]
    }
  }

  @Test("pushes, the frame's own bytes and both ways out are followed")
  func branches() throws {
    let table = try table([
      0x53,  // 0: push %rbx
      0x55,  // 1: push %rbp
      0x48, 0x83, 0xec, 0x18,  // 2: sub $24, %rsp
      0x85, 0xff,  // 6: test %edi, %edi
      0x74, 0x07,  // 8: je 17
      0x48, 0x83, 0xc4, 0x18,  // 10: add $24, %rsp
      0x5d, 0x5b, 0xc3,  // 14: pop %rbp; pop %rbx; ret
      0xe8, 0, 0, 0, 0,  // 17: call
      0xeb, 0xf2,  // 22: jmp 10
    ])
    #expect(found(table, 0) == [8, 0] && found(table, 1) == [16, 0] && found(table, 2) == [24, -24])
    #expect(found(table, 6) == [48, -24] && found(table, 10) == [48, -24] && found(table, 14) == [24, -24])
    #expect(found(table, 15) == [16, 0] && found(table, 16) == [8, 0])
    #expect(found(table, 17) == [48, -24] && found(table, 23) == [48, -24])
  }

  @Test("a stack of unknown size is followed through the frame pointer, and not at all without one")
  func realigned() throws {
    let framed = try table([
      0x55, 0x48, 0x89, 0xe5,  // 0: push %rbp; mov %rsp, %rbp
      0x48, 0x83, 0xe4, 0xc0,  // 4: and $-64, %rsp
      0xc9, 0xc3,  // 8: leave; ret
    ])
    #expect(found(framed, 4) == [16, -16] && found(framed, 8) == [-16, -16] && found(framed, 9) == [8, 0])
    let bare = try table([0x48, 0x29, 0xc4, 0x90, 0x90, 0xc3])  // sub %rax, %rsp
    #expect(found(bare, 0) == [8, 0] && found(bare, 3) == nil)
  }

  @Test("code that only a table of jumps leads to is as the jump leaves it, and unknown instructions have no rule")
  func jumps() throws {
    let table = try table(
      [
        0x50, 0xff, 0xe0,  // 0: push %rax; jmp *%rax
        0x58, 0xc3,  // 3: pop %rax; ret
        0x06, 0x90, 0xc3,  // 5: no instruction in 64 bits
      ] + [UInt8](repeating: 0x90, count: 20))
    #expect(found(table, 3) == [16, 0] && found(table, 4) == [8, 0])
    #expect(found(table, 6) == nil)
  }

  @Test("a move to %r12 is none to %rsp, conditional or not")
  func extendedRegisters() throws {
    let table = try table([
      0x50,  // 0: push %rax
      0x44, 0x0f, 0x45, 0xe0,  // 1: cmovne %eax, %r12d
      0x4c, 0x8b, 0xe0,  // 5: mov %rax, %r12
      0x0f, 0x45, 0xe0,  // 8: cmovne %eax, %esp
      0x58, 0xc3,  // 11: pop %rax; ret
    ])
    #expect(found(table, 5) == [16, 0] && found(table, 8) == [16, 0] && found(table, 11) == nil)
  }

  @Test("a function written in assembly, whose symbol says no size, goes on to the next one")
  func withoutSize() throws {
    var file = MadeFile()
    file.code = [0x50, 0x90, 0x58, 0xc3, 0x53, 0x5b, 0xc3] + [UInt8](repeating: 0xcc, count: 0x100)
    file.entry = start + 0x100
    file.functions = [(0, 0), (4, 3)]
    let table = try UnwindTableBuilder.build(file.bytes.borrowedBytes)
    #expect(found(table, 0) == [8, 0] && found(table, 1) == [16, 0] && found(table, 3) == [8, 0])
    #expect(found(table, 4) == [8, 0] && found(table, 5) == [16, 0])
    #expect(found(table, 0x80) == nil)
  }

  @Test("functions without call frames are followed in a file with Swift in it, and in no other library")
  func swift() throws {
    for section in ["swift5_typeref", "swift_", "other"] {
      var frames = Frames()
      frames.common()
      frames.function(start, 4, [0x0e, 0x20])
      frames.end()
      var file = MadeFile()
      file.ehFrame = frames.bytes
      file.code = [0x50, 0x90, 0x58, 0xc3, 0x53, 0x5b, 0xc3] + [UInt8](repeating: 0xcc, count: 0x100)
      file.functions = [(0, 4), (4, 3)]
      file.otherName = section
      let table = try UnwindTableBuilder.build(file.bytes.borrowedBytes)
      #expect(found(table, 0) == [32, 0], "call frames say more than code")
      #expect((found(table, 5) == [16, 0]) == (section == "swift5_typeref"))
    }
  }

  @Test("a copy without a file's code has its rules when it keeps the code that they are made from, and none of that code without")
  func copies() throws {
    for isSwift in [false, true] {
      var file = MadeFile()
      file.code = [UInt8](repeating: 0xcc, count: 0x1000)
      // push %rax; nop; pop %rax; ret, and push %rbx; pop %rbx; ret
      file.code.replaceSubrange(0x400..<0x404, with: [0x50, 0x90, 0x58, 0xc3])
      file.code.replaceSubrange(0xc00..<0xc03, with: [0x53, 0x5b, 0xc3])
      file.functions = [(0x400, 4), (0xc00, 3)]
      if isSwift { file.otherName = "swift5_typeref" } else { file.entry = start + 0xf00 }
      let whole = file.bytes
      let elf = try ElfFile(whole.borrowedBytes)
      let code = UnwindInput.code(of: elf, file: whole.borrowedBytes)
      #expect(code.reduce(0) { $0 + $1.byteCount } < 0x100)
      let expected = try UnwindTableBuilder.build(whole.borrowedBytes)
      #expect(found(expected, 0x401) == [16, 0] && found(expected, 0xc01) == [16, 0])
      for keepsCode in [true, false] {
        var plan = ElfCopyPlan(byteCount: UInt64(whole.count), mode: .symbols) { (offset, count) throws(Never) in
          let from = min(Int(clamping: offset.rawValue), whole.count)
          return Array(whole[from..<min(from + count, whole.count)])
        }
        if keepsCode {
          plan.keep(
            code.map { ElfCopyPlan.Extent(fileOffset: $0.fileOffset, byteCount: $0.byteCount) }, fileByteCount: UInt64(whole.count))
        }
        var copy = [UInt8](repeating: 0, count: whole.count)
        for extent in plan.extents {
          let range = Int(extent.fileOffset.rawValue)..<Int(extent.fileOffset.rawValue + extent.byteCount)
          copy.replaceSubrange(range, with: whole[range])
        }
        plan.applyPatches(to: &copy, at: FileOffset(0))
        let table = try UnwindTableBuilder.build(copy.borrowedBytes)
        #expect((table == expected) == keepsCode)
        #expect(keepsCode || (found(table, 0x401) == nil && found(table, 0xc01) == nil))
      }
    }
  }

  @Test("any bytes as code end soon and do not trap")
  func random() throws {
    var random = SeededGenerator(seed: 5)
    for _ in 0..<2_000 {
      // Half of the bytes are such that begin instructions of the stack.
      let heads: [UInt8] = [0x48, 0x55, 0x5d, 0x83, 0xec, 0xc4, 0x89, 0xe5, 0xc9, 0x0f, 0x74, 0xeb, 0xff, 0x66, 0xc5, 0x62]
      let code = (0..<0x180).map { _ in
        Bool.random(using: &random) ? heads[Int.random(in: 0..<16, using: &random)] : UInt8.random(in: 0...255, using: &random)
      }
      let table = try table(code)
      #expect(table.rows.count <= 0x180 + 8)
    }
  }

  @Test("a static program without its call frames has nearly the rules it had with them")
  func sameAsCallFrames() throws {
    guard try Command.run(["sh", "-c", "command -v gcc objcopy"]).status == 0 else { return print("skipped: no gcc or objcopy") }
    let scratch = try ScratchDirectory()
    let source =
      "#include <stdio.h>\n#include <regex.h>\nint main(int c, char **v) { regex_t r; return regcomp(&r, v[0], 0) + printf(v[0]); }\n"
    try scratch.write(Array(source.utf8), to: "made.c")
    let (with, without) = (scratch.path + "/with", scratch.path + "/without")
    let built = try Command.run(["gcc", "-O2", "-w", "-static", scratch.path + "/made.c", "-o", with], limit: .seconds(120))
    guard built.status == 0 else { return print("skipped: no static C library") }
    let stripped = try Command.run(["objcopy", "-R", ".eh_frame", with, without])
    try #require(stripped.status == 0)
    let withFile = try MappedFile(path: with)
    let withoutFile = try MappedFile(path: without)
    let expected = try UnwindTableBuilder.build(withFile.bytes)
    let table = try UnwindTableBuilder.build(withoutFile.bytes)
    var counts = (same: 0, different: 0, without: 0)
    for index in expected.pageStarts.indices.dropLast() {
      for row in expected.rows[Int(expected.pageStarts[index])..<Int(expected.pageStarts[index + 1])] {
        let address = UnwindTable.address(low: row, page: expected.firstPage + UInt64(index))
        guard let rule = expected.rule(numbered: UnwindTable.rule(of: row)), rule.cfaRegister == 1, rule.cfaKind == 0 else {
          continue
        }
        guard let found = table.rule(numbered: table.rule(at: ImageAddress(address))), found.cfaRegister == 1 else {
          counts.without += 1
          continue
        }
        if found.cfaOffset == rule.cfaOffset { counts.same += 1 } else { counts.different += 1 }
      }
    }
    #expect(counts.same > 5_000)
    #expect(counts.different * 200 < counts.same, "\(counts)")
    #expect(counts.without * 40 < counts.same, "\(counts)")
  }
}
