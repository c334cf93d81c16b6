import Base
import CRecorderABI
import ObjectFile
import Testing
import TraceFormat

@testable import Recorder
@testable import Unwind

/// The unwinder of the sampler, run over stacks made by hand.
struct HostUnwindingTests {
  private let code = HandMadeStack.code
  private func result(_ found: HostUnwinding) -> UnwindResult? { UnwindResult(rawValue: found.result) }

  @Test func `frames without frame pointers are followed to the outermost one`() throws {
    var stack = HandMadeStack()
    stack.add(0x1000, HandMadeStack.sp(16))
    stack.add(0x2_1000, HandMadeStack.sp(32))
    stack.add(0x3_1000, RuleNumber.stop)
    stack.state.pc = code + 0x1004
    //                 leaf's 8 bytes and return, middle's 24 bytes and return
    stack.words = [1, code + 0x2_1010, 2, 3, 4, code + 0x3_1010]
    let found = try stack.unwind()
    #expect(found.frames == [code + 0x1004, code + 0x2_1010, code + 0x3_1010])
    #expect(result(found) == .complete && found.guesses == 0)
  }

  @Test func `a return address is looked up one byte before itself`() throws {
    var stack = HandMadeStack()
    stack.add(0x1000, HandMadeStack.sp(8))
    // The call is the last instruction of the function at 0x2000: it does not return.
    stack.add(0x2000, HandMadeStack.sp(16))
    stack.add(0x2010, RuleNumber.unsupported)
    stack.add(0x3000, RuleNumber.stop)
    stack.state.pc = code + 0x1000
    stack.words = [code + 0x2010, 9, code + 0x3004]
    let found = try stack.unwind()
    #expect(found.frames == [code + 0x1000, code + 0x2010, code + 0x3004])
    #expect(result(found) == .complete)
  }

  @Test func `after a system call the innermost address is a return address too`() throws {
    var stack = HandMadeStack()
    stack.add(0x1000, RuleNumber.stop)
    stack.add(0x1010, RuleNumber.unsupported)
    stack.state.pc = code + 0x1010
    stack.state.flags |= UInt64(PYROREC_STATE_RETURN_ADDRESS)
    #expect(result(try stack.unwind()) == .complete)
    stack.state.flags = UInt64(PYROREC_STATE_REGISTERS)
    #expect(result(try stack.unwind()) == .unsupportedRule)
  }

  @Test func `a frame pointer that a callee saved is the caller's again`() throws {
    var stack = HandMadeStack()
    stack.add(0x1000, HandMadeStack.sp(16, fpAt: -16))
    stack.add(0x2000, HandMadeStack.fp(16, fpAt: -16))
    stack.add(0x3000, RuleNumber.stop)
    stack.state.pc = code + 0x1001
    stack.state.fp = 0xdead
    // The leaf saved the frame pointer, which points to the second pair.
    stack.words = [HandMadeStack.base + 32, code + 0x2001, 7, 7, 0x77, code + 0x3001]
    let found = try stack.unwind()
    #expect(found.frames.count == 3 && result(found) == .complete)
    #expect(found.state.fp == 0x77)
  }

  @Test func `a deep stack of few functions, seen again and again, is followed through windows of it`() throws {
    var stack = HandMadeStack()
    // A leaf; two that call each other, one of which saves the frame pointer; a third that is found by it; the outermost one.
    stack.add(0x1000, HandMadeStack.sp(8))
    stack.add(0x2000, HandMadeStack.sp(48))
    stack.add(0x3000, HandMadeStack.sp(208, fpAt: -16))
    stack.add(0x4000, HandMadeStack.fp(16, fpAt: -16))
    stack.add(0x5000, RuleNumber.stop)
    stack.state.pc = code + 0x1001
    var expected = [code + 0x1001]
    func call(from address: UInt64) {
      stack.words.append(code + address)
      expected.append(code + address)
    }
    for round in 0..<200 as Range<UInt64> {
      call(from: 0x2001)
      stack.words += [UInt64](repeating: round, count: 5)
      call(from: 0x3001)
      stack.words += [UInt64](repeating: round, count: 24)
      // What it saved: where its caller's pair begins, in the middle of a frame of unknown size.
      let pair = HandMadeStack.base + UInt64(stack.words.count + 2 + Int(round % 7)) * 8
      stack.words.append(pair)
      call(from: 0x4001)
      stack.words += [UInt64](repeating: 9, count: Int(round % 7))
      stack.words.append(0x77)
    }
    call(from: 0x5001)
    stack.words += [UInt64](repeating: 0, count: 600)
    let found = try stack.unwind()
    #expect(found.frames == expected && result(found) == .complete && found.guesses == 0)
  }

  @Test func `every address has the rule of the last row at or below it, in crowded pages and in empty ones`() throws {
    var numbers = SeededGenerator(seed: 5)
    var stack = HandMadeStack()
    // A page with a row at nearly every address, one with few, one with none, one whose rows lie at its very end.
    var addresses = Set((0..<20_000).map { _ in UInt64.random(in: 0..<0x1_0000, using: &numbers) })
    addresses.formUnion((0..<40).map { _ in UInt64.random(in: 0x1_0000..<0x2_0000, using: &numbers) })
    addresses.formUnion([0x3_fff0, 0x3_ffff, 0x4_0000])
    for address in addresses.sorted() {
      stack.add(address, Bool.random(using: &numbers) ? RuleNumber.stop : RuleNumber.unsupported)
    }
    let table = stack.table
    let first = try #require(addresses.min())
    var asked = addresses.sorted().prefix(200) + addresses.sorted().suffix(50)
    asked += (0..<600).map { _ in UInt64.random(in: first..<0x5_0000, using: &numbers) }
    let unwinder = try stack.unwinder()
    for address in asked {
      let isStop = table.rule(at: ImageAddress(address)) == RuleNumber.stop
      stack.state.pc = code + address
      let found = try stack.unwind(by: unwinder)
      #expect(result(found) == (isStop ? .complete : .unsupportedRule), "\(String(address, radix: 16))")
    }
  }

  @Test func `a realigned stack is found behind a pointer, and one behind an index`() throws {
    for isIndexed in [false, true] {
      var stack = HandMadeStack()
      var rule = HandMadeStack.sp(8)
      rule.cfaKind = UInt8(isIndexed ? PYROREC_CFA_DEREF_INDEXED.rawValue : PYROREC_CFA_DEREF.rawValue)
      rule.cfaIndex = isIndexed ? UInt8(PYROREC_REGISTER_NUMBERED.rawValue) + 9 : 0
      rule.cfaAdd = 8
      stack.add(0x1000, rule)
      stack.add(0x3000, RuleNumber.stop)
      stack.state.pc = code + 0x1001
      stack.state.numbered.9 = isIndexed ? 1 : 0
      // At sp + 8 (+ 8): where the return address lies.
      stack.words = [0, HandMadeStack.base + 32, HandMadeStack.base + 32, 0, code + 0x3001]
      let found = try stack.unwind()
      #expect(found.frames == [code + 0x1001, code + 0x3001] && result(found) == .complete)
    }
  }

  @Test func `registers are known in the innermost frame only`() throws {
    var stack = HandMadeStack()
    var vfork = UnwindRule()
    vfork.cfaRegister = UInt8(PYROREC_REGISTER_SP.rawValue)
    vfork.raKind = UInt8(PYROREC_VALUE_IN_REGISTER.rawValue)
    vfork.raRegister = UInt8(PYROREC_REGISTER_NUMBERED.rawValue) + 5
    vfork.flags = UInt8(PYROREC_RULE_LEAF_ONLY)
    stack.add(0x1000, vfork)
    stack.add(0x2000, HandMadeStack.sp(8))
    stack.add(0x3000, RuleNumber.stop)
    stack.state.numbered.5 = code + 0x3001
    stack.state.pc = code + 0x1001
    #expect(try stack.unwind().frames == [code + 0x1001, code + 0x3001])
    stack.state.pc = code + 0x2001
    stack.words = [code + 0x1001]
    let found = try stack.unwind()
    #expect(found.frames == [code + 0x2001, code + 0x1001] && result(found) == .unsupportedRule)
  }

  @Test func `a PLT stub has pushed a word from its eleventh byte on`() throws {
    for (byte, pushed) in [(0 as UInt64, false), (6, false), (11, true)] {
      var stack = HandMadeStack()
      stack.add(0x1000, RuleNumber.plt11)
      stack.add(0x3000, RuleNumber.stop)
      stack.state.pc = code + 0x1000 + byte
      stack.words = (pushed ? [1] : []) + [code + 0x3001]
      #expect(try stack.unwind().frames == [stack.state.pc, code + 0x3001])
    }
  }

  @Test func `behind a signal frame stands the interrupted instruction with its registers`() throws {
    var stack = HandMadeStack()
    stack.add(0x1000, HandMadeStack.sp(8))
    stack.add(0x2000, RuleNumber.signal)
    // Interrupted at its first instruction, where its caller's rule is wrong by one byte.
    stack.add(0x4000, HandMadeStack.rule(PYROREC_REGISTER_NUMBERED.rawValue + 8, 8))
    stack.add(0x3000, RuleNumber.stop)
    stack.state.pc = code + 0x1001
    var words = [UInt64](repeating: 0, count: 40)
    words[0] = code + 0x2001  // pretcode
    let context = 1 + 5  // the trampoline has popped it; uc_mcontext is 40 bytes on
    let interrupted = HandMadeStack.base + 8 * 30
    words[context + 0] = interrupted  // r8
    words[context + 10] = 0x1234  // rbp
    words[context + 15] = interrupted  // rsp
    words[context + 16] = code + 0x4000  // rip
    words[30] = code + 0x3001
    stack.words = words
    let found = try stack.unwind()
    #expect(found.frames == [code + 0x1001, code + 0x2001, code + 0x4000, code + 0x3001])
    #expect(result(found) == .complete)
  }

  @Test func `on aarch64 it is the same, and the link register holds again`() throws {
    var stack = HandMadeStack()
    var leaf = UnwindRule()
    leaf.cfaRegister = UInt8(PYROREC_REGISTER_SP.rawValue)
    leaf.raKind = UInt8(PYROREC_VALUE_IN_REGISTER.rawValue)
    leaf.raRegister = UInt8(PYROREC_REGISTER_LR.rawValue)
    leaf.flags = UInt8(PYROREC_RULE_LEAF_ONLY)
    stack.add(0x1000, leaf)
    stack.add(0x2000, RuleNumber.signal)
    stack.add(0x4000, leaf)
    stack.add(0x3000, RuleNumber.stop)
    stack.state.pc = code + 0x1000
    stack.state.lr = code + 0x2001
    var words = [UInt64](repeating: 0, count: 80)
    let registers = 312 / 8
    words[registers + 29] = 0x1234
    // Signed, as with pointer authentication.
    words[registers + 30] = 0x00b3_0000_0000_0000 | (code + 0x3001)
    words[registers + 31] = HandMadeStack.base + 8 * 75
    words[registers + 32] = code + 0x4000
    stack.words = words
    let found = try stack.unwind(.aarch64)
    #expect(found.frames == [code + 0x1000, code + 0x2001, code + 0x4000, code + 0x3001])
    #expect(result(found) == .complete && found.state.fp == 0x1234)
    // Of the copy so much counts as the signal frame takes.
    #expect(found.stackByteCount == 312 + 33 * 8)
  }

  @Test func `a return address of zero ends a stack`() throws {
    var stack = HandMadeStack()
    stack.add(0x1000, HandMadeStack.sp(8))
    stack.state.pc = code + 0x1001
    stack.words = [0]
    let found = try stack.unwind()
    #expect(found.frames.count == 1 && result(found) == .complete)
  }

  @Test func `a thousand frames are kept and what is deeper is said to be cut`() throws {
    var stack = HandMadeStack()
    stack.add(0x1000, HandMadeStack.sp(8))
    stack.add(0x3000, RuleNumber.stop)
    stack.state.pc = code + 0x1001
    stack.words = [UInt64](repeating: code + 0x1005, count: 1022) + [code + 0x3001]
    var found = try stack.unwind()
    #expect(found.frames.count == 1024 && result(found) == .complete)
    stack.words.insert(code + 0x1005, at: 0)
    found = try stack.unwind()
    #expect(found.frames.count == 1024 && result(found) == .truncatedByDepth)
  }

  @Test func `code without a table is left by a plausible frame pointer, and that is said`() throws {
    var stack = HandMadeStack()
    stack.anonymous = 0x7700_0000_0000..<0x7700_0001_0000
    stack.add(0x3000, RuleNumber.stop)
    stack.state.pc = 0x7700_0000_0100
    stack.state.fp = HandMadeStack.base + 16
    stack.words = [5, 5, HandMadeStack.base + 48, 0x7700_0000_0200, 6, 6, 0, code + 0x3001]
    let found = try stack.unwind()
    #expect(found.frames == [0x7700_0000_0100, 0x7700_0000_0200, code + 0x3001])
    #expect(result(found) == .guessed && found.guesses == UInt8(PYROREC_GUESS_FRAME_POINTER))
    #expect(found.firstGuess == 1 && UnwindResult(rawValue: found.guessReason) == .noTable)
  }

  @Test func `an implausible frame pointer is not followed`() throws {
    for fp in [HandMadeStack.base + 17, HandMadeStack.base &- 64, HandMadeStack.base + (2 << 20), 0] {
      var stack = HandMadeStack()
      stack.add(0x1000, RuleNumber.none)
      stack.add(0x3000, RuleNumber.stop)
      stack.state.pc = code + 0x1001
      stack.state.fp = fp
      stack.words = [1, 2, 3, 4]
      let found = try stack.unwind()
      #expect(found.frames == [code + 0x1001] && result(found) == .noRow && found.guesses == 0)
    }
  }

  @Test func `a word that looks like a return address and leads nowhere is passed over`() throws {
    var stack = HandMadeStack()
    stack.add(0x1000, RuleNumber.none)
    stack.add(0x2000, HandMadeStack.sp(16))
    stack.add(0x3000, RuleNumber.stop)
    stack.state.pc = code + 0x1001
    stack.words = [code + 0x2008, 7, 0x1234, code + 0x3008]
    stack.calls = [code + 0x2008, code + 0x3008]
    let found = try stack.unwind()
    #expect(found.frames == [code + 0x1001, code + 0x3008] && result(found) == .guessed)
    #expect(found.guesses == UInt8(PYROREC_GUESS_RETURN_ADDRESS) && found.firstGuess == 1)
  }

  @Test func `across a switch of stacks the caller is found below the frame pointer, by its call and its own rule`() throws {
    for callee in [code + 0x1000, code + 0x1800] {
      var stack = HandMadeStack()
      stack.add(0x1000, RuleNumber.switchedStack)
      stack.add(0x2000, HandMadeStack.sp(32, fpAt: -16))
      stack.add(0x3000, RuleNumber.stop)
      stack.state.pc = code + 0x1010
      stack.state.fp = HandMadeStack.base + 32
      // What an earlier call left, where it goes on, the caller's 16 bytes, its caller's frame pointer and return address.
      stack.words = [code + 0x2008, code + 0x2008, 7, 7, 0, code + 0x3001]
      stack.calls = [code + 0x2008]
      stack.callees = [code + 0x2008: callee]
      let found = try stack.unwind()
      // A call of something else was not it: then only the frame pointer leads on, past the caller.
      let caller = callee == code + 0x1000 ? [code + 0x2008] : []
      #expect(found.frames == [code + 0x1010] + caller + [code + 0x3001])
      #expect(result(found) == .complete && found.guesses == 0)
    }
  }

  @Test func `behind what grows a stack are the function that wanted it, which has no frame yet, and its caller`() throws {
    for callee in [code + 0x1000, code + 0x1080, code + 0x1800] {
      var stack = HandMadeStack()
      stack.add(0x1000, RuleNumber.grewStack)
      stack.add(0x2000, HandMadeStack.sp(8))
      stack.add(0x2800, HandMadeStack.sp(32, fpAt: -16))
      stack.add(0x3000, RuleNumber.stop)
      stack.state.pc = code + 0x1010
      stack.state.fp = HandMadeStack.base + 48
      // What an earlier call left, which leads nowhere; the function, its caller, that one's 16 bytes, frame pointer, return address.
      stack.words = [code + 0x2008, 7, code + 0x2008, code + 0x2808, 7, 7, 0, code + 0x3001]
      stack.calls = [code + 0x2008, code + 0x2808]
      stack.callees = [code + 0x2008: callee]
      let found = try stack.unwind()
      // A call of something else was not it: a goroutine that was left.
      let callers = callee == code + 0x1800 ? [] : [code + 0x2008, code + 0x2808, code + 0x3001]
      #expect(found.frames == [code + 0x1010] + callers)
      #expect(result(found) == .complete && found.guesses == 0)
    }
  }

  @Test func `without a table yet it stops where it is, to go on later`() throws {
    var stack = HandMadeStack()
    stack.add(0x1000, HandMadeStack.sp(8))
    stack.isPending = true
    stack.state.pc = code + 0x1001
    stack.words = [code + 0x1005]
    let found = try stack.unwind()
    #expect(found.frames.isEmpty && result(found) == .tablesPending && found.state.pc == code + 0x1001)
  }

  @Test func `a stack that goes on above its copy is cut`() throws {
    var stack = HandMadeStack()
    stack.add(0x1000, HandMadeStack.sp(1000))
    stack.state.pc = code + 0x1001
    stack.words = [1, 2, 3]
    #expect(result(try stack.unwind()) == .truncatedByDepth)
  }

  @Test func `a rule that leads to the frame itself ends`() throws {
    var stack = HandMadeStack()
    var same = UnwindRule()
    same.cfaRegister = UInt8(PYROREC_REGISTER_SP.rawValue)
    same.raKind = UInt8(PYROREC_VALUE_IN_REGISTER.rawValue)
    same.raRegister = UInt8(PYROREC_REGISTER_NUMBERED.rawValue)
    stack.add(0x1000, same)
    stack.state.pc = code + 0x1001
    stack.state.numbered.0 = stack.state.pc
    #expect(result(try stack.unwind()) == .unsupportedRule)
  }

  @Test func `any registers, stack and rules end in some result`() throws {
    var generator = SeededGenerator(seed: 3)
    for _ in 0..<2000 {
      var stack = HandMadeStack()
      for index in 0..<24 {
        var rule = UnwindRule()
        rule.cfaKind = UInt8(generator.next() % 4)
        rule.cfaRegister = UInt8(truncatingIfNeeded: generator.next() % 40)
        rule.cfaIndex = UInt8(truncatingIfNeeded: generator.next())
        rule.raKind = UInt8(generator.next() % 6)
        rule.raRegister = UInt8(truncatingIfNeeded: generator.next())
        rule.fpKind = UInt8(generator.next() % 6)
        rule.fpRegister = UInt8(truncatingIfNeeded: generator.next())
        rule.cfaOffset = Int32(truncatingIfNeeded: generator.next() % 64)
        rule.cfaAdd = Int32(truncatingIfNeeded: generator.next())
        rule.raOffset = Int32(truncatingIfNeeded: generator.next() % 128) - 64
        rule.fpOffset = Int32(truncatingIfNeeded: generator.next())
        let address = UInt64(index) * 0x3000
        if generator.next() % 4 == 0 { stack.add(address, UInt16(generator.next() % 20)) } else { stack.add(address, rule) }
      }
      func value() -> UInt64 {
        switch generator.next() % 4 {
        case 0: HandMadeStack.base &+ generator.next() % 512 / 8 * 8
        case 1: generator.next()
        default: code + generator.next() % 0x50000
        }
      }
      stack.words = (0..<64).map { _ in value() }
      stack.state.pc = code + generator.next() % 0x50000
      stack.state.fp = value()
      stack.state.sp = value()
      stack.state.flags = generator.next() % 4
      let found = try stack.unwind()
      #expect(result(found) != nil && found.frames.count <= HostUnwinding.maximumFrames)
    }
  }
}
