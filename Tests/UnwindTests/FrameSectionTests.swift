import Base
import ObjectFile
import Testing
import Unwind

@Suite struct FrameSectionTests {
  private let start = MadeFile.codeAddress

  private func rules(_ file: MadeFile, _ offsets: [UInt64]) throws -> [UInt16] {
    let table = try UnwindTableBuilder.build(file.bytes.borrowedBytes)
    return offsets.map { table.rule(at: ImageAddress(start + $0)) }
  }

  @Test(
    "addresses are read in every encoding",
    arguments: [0x1b, 0x1c, 0x00, 0x03, 0x0b, 0x04, 0x0c, 0x10, 0x30] as [UInt8])
  func encodings(encoding: UInt8) throws {
    var frames = Frames()
    frames.common(encoding: encoding)
    frames.function(start, 0x40, [0x41, 0x0e, 16])
    let found = try rules(MadeFile(ehFrame: frames.bytes), [0, 1, 0x3f, 0x40])
    #expect(found[0] >= RuleNumber.first && found[1] == found[2] && found[0] != found[1] && found[3] == RuleNumber.none)
  }

  @Test("entries of .debug_frame are read in versions 1, 3 and 4 and in both formats", arguments: [1, 3, 4] as [UInt8], [false, true])
  func debugFrame(version: UInt8, isWide: Bool) throws {
    var frames = Frames()
    frames.isDebugFrame = true
    frames.isWide = isWide
    frames.version = version
    frames.common(encoding: nil)
    frames.function(start, 0x40, [0x41, 0x0e, 16])
    let found = try rules(MadeFile(debugFrame: frames.bytes), [0, 1, 0x40])
    #expect(found[0] >= RuleNumber.first && found[1] > found[0] && found[2] == RuleNumber.none)
  }

  @Test("where both sections speak of a function, .eh_frame is believed")
  func both() throws {
    var ehFrames = Frames()
    ehFrames.common()
    ehFrames.function(start, 0x40, [0x0e, 16])
    var debugFrames = Frames()
    debugFrames.isDebugFrame = true
    debugFrames.common(encoding: nil)
    debugFrames.function(start, 0x40, [0x0e, 32])
    debugFrames.function(start + 0x20, 0x10, [0x0e, 32])
    debugFrames.function(start + 0x80, 0x10, [0x0e, 32])
    let file = MadeFile(ehFrame: ehFrames.bytes, debugFrame: debugFrames.bytes)
    let table = try UnwindTableBuilder.build(file.bytes.borrowedBytes)
    let offsets = [0, 0x20, 0x80].map { table.rule(numbered: table.rule(at: ImageAddress(start + $0)))?.cfaOffset }
    #expect(offsets == [16, 16, 32])
  }

  @Test("without section headers .eh_frame is found through PT_GNU_EH_FRAME, and read as far as it says")
  func withoutSections() throws {
    var frames = Frames()
    frames.common()
    frames.function(start, 0x40, [0x0e, 16])
    frames.end()
    frames.function(start + 0x80, 0x40, [0x0e, 16])
    frames.end()
    var file = MadeFile(ehFrame: frames.bytes)
    file.hasSections = false
    #expect(try rules(file, [0]) == [RuleNumber.none])
    file.functionCount = 1
    #expect(try rules(file, [0, 0x80]) == [RuleNumber.first, RuleNumber.none])
    file.functionCount = 2
    #expect(try rules(file, [0, 0x80]) == [RuleNumber.first, RuleNumber.first])
  }

  @Test("padding between functions keeps the rule before it, a gap has none")
  func gaps() throws {
    var frames = Frames()
    frames.common()
    frames.function(start, 0x21, [0x0e, 16])
    frames.function(start + 0x30, 0x10, [])
    frames.function(start + 0x50, 0x10, [])
    let found = try rules(MadeFile(ehFrame: frames.bytes), [0x2f, 0x30, 0x40, 0x50, 0x60])
    #expect(found == [16, 17, 0, 17, 0])
  }

  @Test("functions in any order come out in order, and one rule has one row over neighbours")
  func order() throws {
    var frames = Frames()
    frames.common()
    for place in [3, 0, 2, 1] as [UInt64] { frames.function(start + place * 0x10, 0x10, []) }
    let table = try UnwindTableBuilder.build(MadeFile(ehFrame: frames.bytes).bytes.borrowedBytes)
    #expect(table.rows.count == 2)
    #expect(table.rule(at: ImageAddress(start + 0x3f)) == RuleNumber.first)
  }

  @Test("a signal frame begins one byte early, for a return to its first byte")
  func signal() throws {
    var frames = Frames()
    frames.common(letters: "S")
    frames.function(start + 0x10, 0x10, [])
    let found = try rules(MadeFile(ehFrame: frames.bytes), [0x0e, 0x0f, 0x10, 0x1f])
    #expect(found == [RuleNumber.none, RuleNumber.signal, RuleNumber.signal, RuleNumber.signal])
  }

  @Test("a signal trampoline of a static program is known by its code, and so is the entry point")
  func trampoline() throws {
    var file = MadeFile()
    file.entry = start
    // mov $15, %rax; syscall
    file.code.replaceSubrange(0x80..<0x89, with: [0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05])
    let found = try rules(file, [0, 0x30, 0x60, 0x7f, 0x80, 0x88, 0x90])
    #expect(found == [RuleNumber.stop, RuleNumber.stop, 0, RuleNumber.signal, RuleNumber.signal, RuleNumber.signal, 0])
  }

  @Test("stubs without call frames get their rows from their code")
  func stubs() throws {
    var file = MadeFile()
    file.codeName = ".plt"
    file.code = [0xff, 0x35, 0, 0, 0, 0, 0xff, 0x25, 0, 0, 0, 0, 0x0f, 0x1f, 0x40, 0]  // push GOT+8; jmp *GOT+16
    for index in 0..<4 as Range<UInt8> {
      // jmp *slot; push index; jmp to the first
      file.code += [0xff, 0x25, 0, 0, 0, 0, 0x68, index, 0, 0, 0, 0xe9, 0, 0, 0, 0]
    }
    let table = try UnwindTableBuilder.build(file.bytes.borrowedBytes)
    let numbers = [0, 5, 6, 0x10, 0x4f].map { table.rule(at: ImageAddress(start + $0)) }
    #expect(numbers.prefix(3).map { table.rule(numbered: $0)?.cfaOffset } == [16, 16, 24])
    #expect(numbers.suffix(2) == [RuleNumber.plt11, RuleNumber.plt11])
  }

  @Test("a table is the same with any number of workers")
  func workers() throws {
    var frames = Frames()
    frames.common()
    var file = MadeFile()
    file.code = [UInt8](repeating: 0x90, count: 0x40000)
    for index in 0..<20_000 as Range<UInt64> {
      frames.function(start + index * 12, 12, [0x41, 0x0e, UInt8(16 + index % 13 * 8), 0x41, 0x86, UInt8(2 + index % 7)])
    }
    file.ehFrame = frames.bytes
    let one = try UnwindTableBuilder.build(file.bytes.borrowedBytes)
    let four = try UnwindTableBuilder.build(file.bytes.borrowedBytes, UnwindTableBuilder.Options(workers: 4))
    #expect(one == four)
    #expect(one.rows.count > 50_000)
    for index in one.pageStarts.indices.dropLast() { #expect(one.pageStarts[index] < one.pageStarts[index + 1]) }
  }
}
