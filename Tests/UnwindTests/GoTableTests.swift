import Base
import ObjectFile
import Testing
import Unwind

/// A `.gopclntab` put together for a test.
struct GoTable {
  struct Function {
    /// Bytes from the start of the code.
    var offset: UInt64
    var name: String
    /// How far the stack pointer has moved, for how many bytes; none for the end of the code.
    var steps: [(Int32, UInt32)]
  }
  var layout: UInt32
  var textStart: UInt64
  var quantum: UInt8 = 1
  /// The last one says only where the code ends.
  var functions: [Function]

  private func varint(_ value: UInt32) -> [UInt8] {
    var rest = value
    var bytes: [UInt8] = []
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    return bytes + [UInt8(rest)]
  }

  private func program(_ steps: [(Int32, UInt32)]) -> [UInt8] {
    var last: Int32 = -1
    var bytes: [UInt8] = []
    for (value, byteCount) in steps {
      let change = value - last
      bytes += varint(UInt32(bitPattern: change << 1 ^ change >> 31)) + varint(byteCount / UInt32(quantum))
      last = value
    }
    return bytes + [0]
  }

  var bytes: [UInt8] {
    let hasOffsets = layout == 0xffff_fff0 || layout == 0xffff_fff1
    let isOld = layout == 0xffff_fffb
    let real = functions.dropLast()
    // The parts follow the header: names, programs, then the list of functions with what it points to.
    var names: [UInt8] = [0]
    var programs: [UInt8] = [0]
    var places: [(name: UInt32, program: UInt32)] = []
    for function in real {
      places.append((UInt32(names.count), UInt32(programs.count)))
      names += Array(function.name.utf8) + [0]
      programs += program(function.steps)
    }
    let headerByteCount = isOld ? 16 : 80
    let listByteCount = functions.count * (hasOffsets ? 8 : 16)
    let listAt = isOld ? 16 : headerByteCount + names.count + programs.count
    let namesAt = isOld ? listAt + listByteCount + 64 * real.count : headerByteCount
    let programsAt = namesAt + names.count
    // Parts are counted from their starts, in the oldest layout from the start of the table.
    let nameBase = isOld ? UInt32(namesAt) : 0
    let programBase = isOld ? UInt32(programsAt) : 0
    var list: [UInt8] = []
    var details: [UInt8] = []
    for (index, function) in functions.enumerated() {
      let at = listByteCount + 64 * index + (isOld ? listAt : 0)
      if hasOffsets {
        list += little(UInt32(function.offset)) + little(UInt32(at))
      } else {
        list += little(textStart + function.offset) + little(UInt64(at))
      }
      guard index < real.count else { continue }
      var detail = hasOffsets ? little(UInt32(function.offset)) : little(textStart + function.offset)
      detail += little(places[index].name + nameBase) + little(UInt64(0)) + little(places[index].program + programBase)
      details += detail + [UInt8](repeating: 0, count: 64 - detail.count)
    }
    var header = little(layout) + [0, 0, quantum, 8] + little(UInt64(real.count))
    if !isOld {
      let parts = [UInt64(namesAt), 0, 0, UInt64(programsAt), UInt64(listAt)]  // names, units, files, programs, functions
      header += little(UInt64(0))
      if hasOffsets { header += little(textStart) }
      header += parts.flatMap { little($0) }
      header += [UInt8](repeating: 0, count: headerByteCount - header.count)
    }
    return isOld ? header + list + details + names + programs : header + names + programs + list + details
  }
}

@Suite struct GoTableTests {
  private let start = MadeFile.codeAddress

  private func file(_ layout: UInt32) -> MadeFile {
    var file = MadeFile()
    // sub $24, %rsp; mov %rbp, 16(%rsp); lea 16(%rsp), %rbp
    let prologue: [UInt8] = [0x48, 0x83, 0xec, 24, 0x48, 0x89, 0x6c, 0x24, 16, 0x48, 0x8d, 0x6c, 0x24, 16]
    file.code.replaceSubrange(0..<prologue.count, with: prologue)
    // push %rbp; mov %rsp, %rbp; sub $32, %rsp
    let push: [UInt8] = [0x55, 0x48, 0x89, 0xe5, 0x48, 0x83, 0xec, 32]
    file.code.replaceSubrange(0x40..<0x48, with: push)
    file.code.replaceSubrange(0xa0..<(0xa0 + prologue.count), with: prologue)
    file.goTable =
      GoTable(
        layout: layout, textStart: start,
        functions: [
          GoTable.Function(offset: 0, name: "main.main", steps: [(0, 4), (24, 0x2c), (0, 0x10)]),
          GoTable.Function(offset: 0x40, name: "main.fib", steps: [(0, 1), (8, 7), (40, 0x10), (8, 1), (0, 7)]),
          GoTable.Function(offset: 0x60, name: "runtime.goexit", steps: [(0, 0x20)]),
          GoTable.Function(offset: 0x80, name: "runtime.systemstack.abi0", steps: [(0, 0x20)]),
          GoTable.Function(offset: 0xa0, name: "runtime.nanotime1", steps: [(0, 4), (24, 0x1c)]),
          GoTable.Function(offset: 0xc0, name: "runtime.sigreturn", steps: [(0, 0x20)]),
          GoTable.Function(offset: 0xe0, name: "runtime.memmove", steps: [(0, 0x20)]),
          GoTable.Function(offset: 0x100, name: "runtime.clone.abi0", steps: [(0, 0x20)]),
          GoTable.Function(offset: 0x120, name: "main.thin", steps: [(0, 4), (8, 0x10), (0, 0x0c)]),
          GoTable.Function(offset: 0x140, name: "runtime.morestack.abi0", steps: [(0, 0x20)]),
          GoTable.Function(offset: 0x160, name: "", steps: []),
        ]
      ).bytes
    // sub $8, %rsp; mov %rbp, (%rsp); lea (%rsp), %rbp
    let thin: [UInt8] = [0x48, 0x83, 0xec, 8, 0x48, 0x89, 0x2c, 0x24, 0x48, 0x8d, 0x2c, 0x24]
    file.code.replaceSubrange(0x120..<0x12c, with: thin)
    // syscall; test %eax, %eax; je 1f; ret; 1: call *%r12
    let clone: [UInt8] = [0x0f, 0x05, 0x85, 0xc0, 0x74, 0x01, 0xc3, 0x41, 0xff, 0xd4]
    file.code.replaceSubrange(0x100..<0x10a, with: clone)
    return file
  }

  @Test(
    "functions of every layout of Go's table are followed to the byte",
    arguments: [0xffff_fffb, 0xffff_fffa, 0xffff_fff0, 0xffff_fff1] as [UInt32])
  func layouts(layout: UInt32) throws {
    let table = try UnwindTableBuilder.build(file(layout).bytes.borrowedBytes)
    func found(_ offset: UInt64) -> [Int32] {
      let number = table.rule(at: ImageAddress(start + offset))
      guard let rule = table.rule(numbered: number) else { return [Int32(number)] }
      #expect(rule.cfaRegister == 1 && rule.raKind == 1 && rule.raOffset == -8)
      return [rule.cfaOffset, rule.fpKind == 1 ? rule.fpOffset : 0]
    }
    #expect(found(0) == [8, 0] && found(3) == [8, 0])
    #expect(found(4) == [32, 0])  // the frame pointer is saved by the next instruction
    #expect(found(9) == [32, -16] && found(0x2f) == [32, -16])
    #expect(found(0x30) == [8, 0])
    #expect(found(0x40) == [8, 0] && found(0x41) == [16, -16] && found(0x48) == [48, -16])
    #expect(found(0x58) == [16, -16] && found(0x59) == [8, 0])
    #expect(found(0x60) == [Int32(RuleNumber.stop)] && found(0x7e) == [Int32(RuleNumber.stop)])
    #expect(found(0x80) == [Int32(RuleNumber.switchedStack)])
    #expect(found(0x140) == [Int32(RuleNumber.grewStack)])
    #expect(found(0xa0) == [8, 0] && found(0xa4) == [32, 0] && found(0xae) == [Int32(RuleNumber.framePointer)])
    #expect(found(0xbf) == [Int32(RuleNumber.signal)])  // one byte early
    #expect(found(0xc0) == [Int32(RuleNumber.signal)])
    #expect(found(0xe0) == [8, 0])
    // The parent returns, the child has nowhere to.
    #expect(found(0x102) == [8, 0] && found(0x106) == [8, 0] && found(0x109) == [Int32(RuleNumber.stop)])
    #expect(found(0x124) == [16, 0] && found(0x128) == [16, -16] && found(0x130) == [16, -16] && found(0x134) == [8, 0])
    #expect(found(0x160) == [Int32(RuleNumber.none)])
  }

  @Test("without section headers Go's table is found by its magic number")
  func search() throws {
    var file = file(0xffff_fff1)
    let whole = try UnwindTableBuilder.build(file.bytes.borrowedBytes)
    file.hasSections = false
    let searched = try UnwindTableBuilder.build(file.bytes.borrowedBytes)
    #expect(!whole.rows.isEmpty && searched.rows == whole.rows && searched.rules == whole.rules)
  }

  @Test("on aarch64 the link register is where the stack pointer points")
  func aarch64() throws {
    var file = MadeFile(machine: 183)
    file.goTable =
      GoTable(
        layout: 0xffff_fff1, textStart: start, quantum: 4,
        functions: [
          GoTable.Function(offset: 0, name: "main.main", steps: [(0, 8), (64, 0x30), (0, 8)]),
          GoTable.Function(offset: 0x40, name: "", steps: []),
        ]
      ).bytes
    let table = try UnwindTableBuilder.build(file.bytes.borrowedBytes)
    let leaf = try #require(table.rule(numbered: table.rule(at: ImageAddress(start))))
    #expect(leaf.raKind == 2 && leaf.raRegister == 3 && leaf.cfaOffset == 0)
    let body = try #require(table.rule(numbered: table.rule(at: ImageAddress(start + 8))))
    #expect(body.cfaOffset == 64 && body.raKind == 1 && body.raOffset == -64 && body.fpOffset == -72)
  }
}
