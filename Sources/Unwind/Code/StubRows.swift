import Base
import ObjectFile

/// The procedure linkage table, for which only GNU's linkers write call frames.
///
/// A lazy stub on x86-64 pushes the number of its relocation before it jumps to the first stub, which pushes 8 bytes more
/// (System V psABI x86-64, section 5.2). On aarch64 only the first stub uses the stack, for x16 and the link register.
enum StubRows {
  /// A larger one is no procedure linkage table.
  private static let maximumByteCount: UInt64 = 64 << 20
  /// Stubs that need rows of their own are given them up to here.
  private static let maximumListedByteCount: UInt64 = 4 << 20
  private static let stubByteCount: UInt64 = 16

  /// What the stubs of one block are like, in `CodeBlock.common`.
  struct Shape {
    /// The first stub is the one that calls the resolver.
    var hasResolver: Bool
    /// From this byte of a stub on 8 more bytes are on the stack; 0 when nothing is pushed.
    var threshold: UInt8

    init(hasResolver: Bool, threshold: UInt8) {
      self.hasResolver = hasResolver
      self.threshold = threshold
    }
    init(_ packed: UInt32) {
      hasResolver = packed & 0x100 != 0
      threshold = UInt8(packed & 0xff)
    }
    var packed: UInt32 { (hasResolver ? 0x100 : 0) | UInt32(threshold) }
  }

  static func collect(_ elf: borrowing ElfFile, _ code: CodeImage, into blocks: inout [CodeBlock]) {
    for index in elf.sections.indices {
      let section = elf.sections[index]
      guard section.kind == .programBits, section.isExecutable, section.byteCount <= maximumByteCount,
        isStubSection(elf.sectionName(index)), let end = section.address.adding(section.byteCount)?.rawValue,
        code.hasBytes(section.address.rawValue, end)
      else { continue }
      let start = section.address.rawValue
      let shape =
        elf.header.machine == .aarch64
        ? Shape(hasResolver: code.load(start, as: UInt32.self) == 0xa9bf_7bf0, threshold: 0) : x86Shape(start, end, code)
      blocks.append(CodeBlock(start: start, end: end, source: .stubs, part: 0, common: shape.packed))
    }
  }

  private static func x86Shape(_ start: UInt64, _ end: UInt64, _ code: CodeImage) -> Shape {
    // push GOT+8(%rip)
    let hasResolver = code.load(start, as: UInt16.self) == 0x35ff
    let stub = hasResolver ? start + stubByteCount : start
    guard stub < end else { return Shape(hasResolver: hasResolver, threshold: 0) }
    for offset in [0, 4, 6, 10] as [UInt64] where code.load(stub &+ offset, as: UInt8.self) == 0x68 {
      // After endbr64, jmp *GOT(%rip) or neither: push $index. Nothing is on the stack in bytes before its end.
      let before = code.load(stub, as: UInt32.self)
      let isPush =
        switch offset {
        case 0: true
        case 4: before == 0xfa1e_0ff3
        case 6: before & 0xffff == 0x25ff
        default: before == 0xfa1e_0ff3 && code.load(stub &+ 4, as: UInt16.self) == 0x25ff
        }
      if isPush { return Shape(hasResolver: hasResolver, threshold: UInt8(offset) + 5) }
    }
    return Shape(hasResolver: hasResolver, threshold: 0)
  }

  static func run(_ block: CodeBlock, _ machine: ElfMachine, before limit: UInt64, into writer: inout RowWriter) {
    let shape = Shape(block.common)
    if machine == .aarch64 {
      writer.put(block.start, writer.number(of: .entry(machine, pushed: 0)))
      guard shape.hasResolver else { return }
      writer.put(block.start + 4, writer.number(of: .entry(machine, pushed: 16)))
      // stp, adrp, ldr, add, br and three nops
      if block.start + 32 < limit { writer.put(block.start + 32, writer.number(of: .entry(machine, pushed: 0))) }
      return
    }
    var start = block.start
    if shape.hasResolver {
      writer.put(start, writer.number(of: .entry(machine, pushed: 8)))
      if start + 6 < limit { writer.put(start + 6, writer.number(of: .entry(machine, pushed: 16))) }
      start += stubByteCount
    }
    guard start < limit else { return }
    put(shape.threshold, from: start, to: min(block.end, limit), machine, &writer)
  }

  /// Rows of stubs that push 8 bytes, of which the last is byte `threshold` - 1; none for 0.
  static func put(
    _ threshold: UInt8, from start: UInt64, to end: UInt64, _ machine: ElfMachine, _ writer: inout RowWriter
  ) {
    switch threshold {
    case 0: writer.put(start, writer.number(of: .entry(machine, pushed: 0)))
    case 10: writer.put(start, RuleNumber.plt10)
    case 11: writer.put(start, RuleNumber.plt11)
    default:
      guard start <= end, end - start <= maximumListedByteCount else { return writer.put(start, RuleNumber.unsupported) }
      for stub in stride(from: start, to: end, by: Int(stubByteCount)) {
        writer.put(stub, writer.number(of: .entry(machine, pushed: 0)))
        if stub + UInt64(threshold) < end { writer.put(stub + UInt64(threshold), writer.number(of: .entry(machine, pushed: 8))) }
      }
    }
  }

  private static func isStubSection(_ name: RawSpan) -> Bool {
    // .plt, .plt.sec, .plt.got, .plt.bnd, .iplt
    let start = name.byte(at: 0) == 0x2e && name.byte(at: 1) == 0x69 ? 2 : 1
    return name.byte(at: 0) == 0x2e && name.byte(at: start) == 0x70 && name.byte(at: start + 1) == 0x6c
      && name.byte(at: start + 2) == 0x74 && (name.byteCount == start + 3 || name.byte(at: start + 3) == 0x2e)
  }
}

extension UnwindRule {
  /// The rule of a function's first instruction when `pushed` bytes more are on the stack, the return address lowest but for
  /// those on x86-64, and highest in them on aarch64.
  static func entry(_ machine: ElfMachine, pushed: Int32) -> UnwindRule {
    var rule = UnwindRule()
    rule.cfaRegister = RuleCode.sp
    rule.cfaOffset = pushed
    if machine != .aarch64 {
      rule.cfaOffset = pushed &+ 8
      rule.raKind = RuleCode.atCFA
      rule.raOffset = -8
    } else if pushed == 0 {
      rule.raKind = RuleCode.inRegister
      rule.raRegister = RuleCode.lr
      rule.flags = RuleCode.leafOnly
    } else {
      rule.raKind = RuleCode.atCFA
      rule.raOffset = -8
    }
    return rule
  }
}
