import Base
import ObjectFile

/// All that a file says about its frames, as blocks in order of address.
struct UnwindSources: Sendable {
  /// Between two functions so many bytes are padding, which keeps the rule of the function before.
  static let maximumPaddingByteCount: UInt64 = 15

  private let machine: ElfMachine
  private let code: CodeImage
  private let sections: [CallFrameSection]
  private let go: GoFunctionTable?
  let blocks: [CodeBlock]

  /// - Parameters:
  ///   - file: the bytes of `elf`.
  ///   - debugFrame: its `.debug_frame`, inflated, or nothing.
  init(_ elf: borrowing ElfFile, _ registers: RegisterNames, file: FrameBytes, debugFrame: FrameBytes) {
    machine = elf.header.machine
    code = CodeImage(elf, file)
    go = GoFunctionTable(elf, file)
    var sections: [CallFrameSection] = []
    // The best source first: Go's call frames do not say where the frame pointer is.
    var blocks: [CodeBlock] = []
    go?.collect(into: &blocks, code: code)
    if let found = CallFrameLocation(ehFrameOf: elf) {
      var section = CallFrameSection(
        kind: .ehFrame, bytes: file.slice(from: found.from, byteCount: found.to - found.from), bases: found.bases,
        registers: registers)
      section.collect(into: &blocks, index: UInt16(sections.count), code: code, functionCount: found.functionCount)
      sections.append(section)
    }
    if debugFrame.count > 0 {
      var section = CallFrameSection(
        kind: .debugFrame, bytes: debugFrame, bases: PointerEncoding.Bases(section: 0, data: 0), registers: registers)
      section.collect(into: &blocks, index: UInt16(sections.count), code: code)
      sections.append(section)
    }
    if blocks.isEmpty { LinkRegisterCode.collect(elf, code, into: &blocks) }
    StubRows.collect(elf, code, into: &blocks)
    let hasTrampoline = blocks.contains { $0.source == .constant && $0.part == RuleNumber.signal }
    OutermostCode.collect(elf, code, into: &blocks)
    // A C library is in it, and not glibc, which says where signal handlers return to.
    if (OutermostCode.looksAtCode(of: elf) && !hasTrampoline) || X86StackCode.isSwift(elf) {
      X86StackCode.collect(elf, code, into: &blocks)
    }
    self.sections = sections
    self.blocks = blocks.orderedByAddress()
  }

  /// The rows of some blocks, up to where the next one begins.
  func rows(ofBlocks range: Range<Int>) -> RowPart {
    var writer = RowWriter()
    var programs = sections.map { FrameProgram(section: $0, common: $0.commonEntries.first ?? CommonEntry()) }
    let makers = sections.map { RuleMaker(registers: $0.registers, bytes: $0.bytes) }
    for index in range {
      let block = blocks[index]
      let next = index + 1 < blocks.count ? blocks[index + 1].start : UInt64.max
      let limit = min(block.end, next)
      switch block.source {
      case .constant: writer.put(block.start, block.part)
      case .stubs: StubRows.run(block, machine, before: limit, into: &writer)
      case .x86Code: X86StackCode.run(block, before: limit, code, into: &writer)
      case .linkRegister: LinkRegisterCode.run(block, before: limit, code, into: &writer)
      case .go: go?.run(block, before: limit, code: code, into: &writer)
      case .callFrames:
        let part = Int(block.part)
        writer.maker = makers[part]
        programs[part].begin(Int(block.common))
        programs[part].run(from: Int(block.from), to: Int(block.to), at: block.start, before: limit, into: &writer)
        writer.finishStubs(before: limit, machine)
      }
      if next > block.end, next - block.end > Self.maximumPaddingByteCount { writer.put(block.end, RuleNumber.none) }
    }
    return writer.finish()
  }
}
