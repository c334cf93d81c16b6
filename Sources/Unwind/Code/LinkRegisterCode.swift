import Base
import ObjectFile

/// Functions of an aarch64 file that has no call frames at all, which the vDSO of many kernels is: the return address is in the
/// link register but between the instructions that save it with the frame pointer and those that load both.
enum LinkRegisterCode {
  /// Of symbols that are looked at; a vDSO has about ten.
  private static let maximumSymbolCount = 1 << 16
  /// Of code that is looked at: a vDSO is one page.
  private static let maximumByteCount: UInt64 = 1 << 20

  static func collect(_ elf: borrowing ElfFile, _ code: CodeImage, into blocks: inout [CodeBlock]) {
    guard elf.header.machine == .aarch64, let symbols = elf.dynamicSymbolTable else { return }
    var left = maximumByteCount
    for index in 0..<min(symbols.count, maximumSymbolCount) {
      let symbol = symbols[index]
      let start = symbol.value
      let (end, overflow) = start.addingReportingOverflow(symbol.byteCount)
      guard symbol.kind == .function, !overflow, symbol.byteCount <= left, code.hasBytes(start, end), start & 3 == 0 else { continue }
      left -= symbol.byteCount
      if SignalTrampoline.begins(at: start, code) {
        blocks.append(
          CodeBlock(
            start: start &- 1, end: SignalTrampoline.end(ofRuleFor: end, .aarch64, code), source: .constant,
            part: RuleNumber.signal))
      } else {
        blocks.append(CodeBlock(start: start, end: end, source: .linkRegister, part: 0))
      }
    }
  }

  static func run(_ block: CodeBlock, before limit: UInt64, _ code: CodeImage, into writer: inout RowWriter) {
    let plain = UnwindRule.entry(.aarch64, pushed: 0)
    var frame: UnwindRule?
    writer.put(block.start, writer.number(of: plain))
    for address in stride(from: block.start, to: limit, by: 4) {
      let next = address &+ 4
      let instruction = code.load(address, as: UInt32.self)
      switch instruction {
      case _ where instruction & 0xffc0_7fff == 0xa980_7bfd:  // stp x29, x30, [sp, #-n]!
        let distance = 0 &- (Int32(bitPattern: instruction << 10) >> 25) &* 8
        guard distance >= 16 else { continue }
        var rule = UnwindRule.entry(.aarch64, pushed: distance)
        rule.raOffset = 8 &- distance
        rule.fpKind = RuleCode.atCFA
        rule.fpOffset = 0 &- distance
        frame = rule
        if next < limit { writer.put(next, writer.number(of: rule)) }
      case _ where instruction & 0xffc0_7fff == 0xa8c0_7bfd:  // ldp x29, x30, [sp], #n
        if next < limit { writer.put(next, writer.number(of: plain)) }
      case 0xd65f_03c0:  // ret: what follows is reached from within the frame
        if let frame, next < limit { writer.put(next, writer.number(of: frame)) }
      default: break
      }
    }
  }
}
