import Base
import ObjectFile
import Testing
import Unwind

@Suite struct CallFrameTests {
  private let start = MadeFile.codeAddress

  private func table(_ instructions: [UInt8], machine: UInt16 = 62) throws -> UnwindTable {
    var frames = Frames()
    if machine == 183 {
      frames.common(codeAlignment: 4, dataAlignment: 0x78, column: 30, [0x0c, 31, 0])
    } else {
      frames.common()
    }
    frames.function(start, 0x100, instructions)
    var file = MadeFile(machine: machine, ehFrame: frames.bytes)
    file.code = [UInt8](repeating: 0x90, count: 0x10000)
    return try UnwindTableBuilder.build(file.bytes.borrowedBytes)
  }

  private func rule(_ table: UnwindTable, _ offset: UInt64) throws -> UnwindRule {
    let number = table.rule(at: ImageAddress(start + offset))
    return try #require(table.rule(numbered: number), "rule \(number) at +\(offset)")
  }

  /// CFA = rsp + offset, return address below it, the frame pointer as given.
  private func plain(_ offset: Int32, fp: Int32? = nil) -> UnwindRule {
    var rule = UnwindRule()
    rule.cfaRegister = 1
    rule.cfaOffset = offset
    rule.raKind = 1
    rule.raOffset = -8
    if let fp {
      rule.fpKind = 1
      rule.fpOffset = fp
    }
    return rule
  }

  @Test("a push moves the CFA and says where the frame pointer is")
  func push() throws {
    // advance 1, def_cfa_offset 16, offset rbp at cfa-16; advance 3, def_cfa_register rbp
    let table = try table([0x41, 0x0e, 16, 0x86, 2, 0x43, 0x0d, 6])
    #expect(try rule(table, 0) == plain(8))
    #expect(try rule(table, 1) == plain(16, fp: -16))
    let last = try rule(table, 0xff)
    #expect(last.cfaRegister == 2 && last.cfaOffset == 16 && last.fpOffset == -16)
    #expect(table.rule(at: ImageAddress(start + 0x100)) == RuleNumber.none)
    #expect(table.rule(at: ImageAddress(start - 1)) == RuleNumber.none)
    #expect(table.rule(at: ImageAddress(.max)) == RuleNumber.none)
  }

  @Test("every form of advancing reaches its address")
  func advances() throws {
    // advance_loc1 0x10, advance_loc2 0x20, advance_loc4 0x30, each with another CFA
    let table = try table([0x02, 0x10, 0x0e, 16, 0x03, 0x20, 0, 0x0e, 24, 0x04, 0x30, 0, 0, 0, 0x0e, 32])
    for (offset, cfa) in [(0x0f, 8), (0x10, 16), (0x2f, 16), (0x30, 24), (0x5f, 24), (0x60, 32)] as [(UInt64, Int32)] {
      #expect(try rule(table, offset) == plain(cfa))
    }
  }

  @Test("a CFA offset of more than 16 bits is kept")
  func farCFA() throws {
    // def_cfa_offset 1_000_000
    #expect(try rule(try table([0x0e, 0xc0, 0x84, 0x3d]), 0) == plain(1_000_000))
  }

  @Test("remembered states come back, within one another")
  func remember() throws {
    // remember; advance 1, cfa 16; remember; advance 1, cfa 24; advance 1, restore; advance 1, restore
    let table = try table([0x0a, 0x41, 0x0e, 16, 0x0a, 0x41, 0x0e, 24, 0x41, 0x0b, 0x41, 0x0b])
    for (offset, cfa) in [(0, 8), (1, 16), (2, 24), (3, 16), (4, 8)] as [(UInt64, Int32)] {
      #expect(try rule(table, offset) == plain(cfa))
    }
  }

  @Test("restoring what was never remembered, remembering without end, unknown instructions: not supported from there on")
  func unknown() throws {
    for instructions in [
      [0x41, 0x0b], [0x41] + [UInt8](repeating: 0x0a, count: 40), [0x41, 0x3f], [0x41, 0x0f, 0x7f],
    ] as [[UInt8]] {
      let table = try table(instructions)
      #expect(try rule(table, 0) == plain(8))
      #expect(table.rule(at: ImageAddress(start + 1)) == RuleNumber.unsupported)
      #expect(table.rule(at: ImageAddress(start + 0xff)) == RuleNumber.unsupported)
    }
  }

  @Test("a return address in a register is known in the innermost frame only")
  func vfork() throws {
    // register rip in rdi
    let found = try rule(try table([0x09, 16, 5]), 0)
    #expect(found.raKind == 2 && found.raRegister == 16 + 5 && found.flags == 1)
  }

  @Test("a CFA from another register is known in the innermost frame only")
  func otherRegister() throws {
    let found = try rule(try table([0x0c, 11, 24]), 0)  // def_cfa r11 + 24
    #expect(found.cfaRegister == 16 + 11 && found.cfaOffset == 24 && found.flags == 1)
  }

  @Test("a return address that is undefined, or was popped already, ends the stack")
  func outermost() throws {
    #expect(try table([0x07, 16]).rule(at: ImageAddress(start)) == RuleNumber.stop)
    // def_cfa_offset 0: the return address is at rsp - 8
    #expect(try table([0x0e, 0]).rule(at: ImageAddress(start)) == RuleNumber.stop)
  }

  @Test("a realigned stack is followed through the saved pointer")
  func realigned() throws {
    // def_cfa_expression: breg6 -8, deref; expression rbp: breg6 0
    let found = try rule(try table([0x0f, 3, 0x76, 0x78, 0x06, 0x10, 6, 2, 0x76, 0]), 0)
    #expect(found.cfaKind == 1 && found.cfaRegister == 2 && found.cfaOffset == -8 && found.cfaAdd == 0)
    #expect(found.fpKind == 3 && found.fpRegister == 2 && found.fpOffset == 0)
    // breg7 40, deref, plus_uconst 8
    let add = try rule(try table([0x0f, 5, 0x77, 40, 0x06, 0x23, 8]), 0)
    #expect(add.cfaKind == 1 && add.cfaRegister == 1 && add.cfaOffset == 40 && add.cfaAdd == 8)
  }

  @Test("libcrypto's CFA behind an index is followed")
  func indexed() throws {
    // breg7 8, breg9 0, lit8, mul, plus, deref, plus_uconst 8
    let found = try rule(try table([0x0f, 10, 0x77, 8, 0x79, 0, 0x38, 0x1e, 0x22, 0x06, 0x23, 8]), 0)
    #expect(found.cfaKind == 2 && found.cfaRegister == 1 && found.cfaOffset == 8 && found.cfaAdd == 8)
    #expect(found.cfaIndex == 16 + 9 && found.flags == 1)
  }

  @Test("an expression of an unknown shape is not supported, and one for the frame pointer alone makes that unknown")
  func unknownExpression() throws {
    #expect(try table([0x0f, 2, 0x9c, 0x06]).rule(at: ImageAddress(start)) == RuleNumber.unsupported)
    #expect(try rule(try table([0x10, 6, 2, 0x9c, 0x06]), 0).fpKind == 4)
    #expect(try rule(try table([0x14, 6, 2]), 0).fpKind == 4)  // val_offset
    #expect(try rule(try table([0x16, 6, 2, 0x76, 0]), 0).fpKind == 4)  // val_expression
  }

  @Test("stubs that push are told by where in their 16 bytes they do", arguments: [5, 9, 10, 11] as [UInt8])
  func stubs(threshold: UInt8) throws {
    // breg7 8, breg16 0, lit15, and, lit<threshold>, ge, lit3, shl, plus
    let table = try table([0x0f, 11, 0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x30 + threshold, 0x2a, 0x33, 0x24, 0x22])
    for offset in [0, 16, 0xf0] as [UInt64] {
      let number = table.rule(at: ImageAddress(start + offset))
      switch threshold {
      case 10: #expect(number == RuleNumber.plt10)
      case 11: #expect(number == RuleNumber.plt11)
      default:
        #expect(try rule(table, offset) == plain(8))
        #expect(try rule(table, offset + UInt64(threshold) - 1) == plain(8))
        #expect(try rule(table, offset + UInt64(threshold)) == plain(16))
      }
    }
  }

  @Test("longjmp's frame leads to where it jumps")
  func jump() throws {
    // def_cfa rdi 0; register rsp in r8, rbp in r9, rip in rdx
    let found = try rule(try table([0x0c, 5, 0, 0x09, 7, 8, 0x09, 6, 9, 0x09, 16, 1]), 0)
    #expect(found.cfaRegister == 16 + 8 && found.cfaOffset == 0 && found.flags == 1)
    #expect(found.raKind == 2 && found.raRegister == 16 + 1 && found.fpKind == 2 && found.fpRegister == 16 + 9)
  }

  @Test("the instructions of vendors are read: GNU_args_size, GNU_negative_offset_extended")
  func vendors() throws {
    // args_size 32; negative_offset_extended rbp 2: at cfa - 2 * -8
    #expect(try rule(try table([0x2e, 32, 0x2f, 6, 2]), 0) == plain(8, fp: 16))
  }

  @Test("on aarch64 the return address is in the link register until it is saved")
  func aarch64() throws {
    // advance 1 (4 bytes), negate_ra_state; advance 1, cfa 32, x29 at cfa-32, x30 at cfa-24
    let table = try table([0x41, 0x2d, 0x41, 0x0e, 32, 0x9d, 4, 0x9e, 3], machine: 183)
    let first = try rule(table, 4)
    #expect(first.raKind == 2 && first.raRegister == 3 && first.flags == 1 && first.cfaOffset == 0)
    let second = try rule(table, 8)
    #expect(second.raKind == 1 && second.raOffset == -24 && second.fpKind == 1 && second.fpOffset == -32 && second.flags == 0)
    #expect(table.machine == .aarch64)
  }
}
