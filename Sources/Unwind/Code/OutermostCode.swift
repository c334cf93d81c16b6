import Base
import ObjectFile

/// Code that begins a process or a thread, or ends a signal, where a file has no call frames for it: dynamic loaders, static
/// programs, and musl, which writes none in assembly.
enum OutermostCode {
  /// What a file's entry point has at most before its first function.
  private static let entryByteCount: UInt64 = 64
  /// Files with more code are no C library, nor a program with one in it that is worth the search.
  private static let maximumSearchedByteCount = 64 << 20

  /// musl's `__clone`, in the child: xor %ebp, %ebp; pop %rdi; call *%r9; mov %eax, %edi; xor %eax, %eax; mov $60, %al; syscall
  private static let x86Clone: [UInt8?] = [
    0x31, 0xed, 0x5f, 0x41, 0xff, 0xd1, 0x89, 0xc7, 0x31, 0xc0, 0xb0, 0x3c, 0x0f, 0x05,
  ]
  /// musl's `__clone`, in the child: ldp x1, x0, [sp], #16; blr x1; mov x8, #93; svc #0
  private static let aarch64Clone: [UInt8?] = [
    0xe1, 0x03, 0xc1, 0xa8, 0x20, 0x00, 0x3f, 0xd6, 0xa8, 0x0b, 0x80, 0xd2, 0x01, 0x00, 0x00, 0xd4,
  ]

  /// Whether all of a file's code is searched, should it have no call frames for a signal's end: a program with a dynamic loader
  /// has its C library elsewhere.
  static func looksAtCode(of elf: borrowing ElfFile) -> Bool {
    elf.header.entry.rawValue != 0 && !elf.segments.contains { $0.kind == .interpreter }
      && elf.segments.allSatisfy { $0.kind != .load || !$0.isExecutable || $0.fileByteCount <= UInt64(maximumSearchedByteCount) }
  }

  /// - Parameter blocks: what is known of the file's code; what is found in none of it is appended.
  static func collect(_ elf: borrowing ElfFile, _ code: CodeImage, into blocks: inout [CodeBlock]) {
    let entry = elf.header.entry.rawValue
    guard entry != 0, code.hasBytes(entry, entry &+ 1) else { return }
    if !blocks.contains(where: { $0.start <= entry && entry < $0.end }) {
      // Whatever follows is its own block and cuts this one.
      let next = blocks.lazy.map(\.start).filter { $0 > entry }.min() ?? .max
      let end = min(entry &+ entryByteCount, next, code.end(ofStretchAt: entry))
      if entry < end { blocks.append(CodeBlock(start: entry, end: end, source: .constant, part: RuleNumber.stop)) }
    }
    let hasTrampoline = blocks.contains { $0.source == .constant && $0.part == RuleNumber.signal }
    if looksAtCode(of: elf), !hasTrampoline { search(elf.header.machine, code, &blocks) }
  }

  private static func search(_ machine: ElfMachine, _ code: CodeImage, _ blocks: inout [CodeBlock]) {
    for (address, offset, byteCount) in code.stretches {
      if machine == .aarch64 {
        for place in stride(from: offset, to: offset + byteCount, by: 4) {
          let found = address &+ UInt64(place - offset)
          switch code.bytes.load(place, as: UInt32.self) {
          case 0xd280_1168 where SignalTrampoline.begins(at: found, code): append(RuleNumber.signal, found &- 1, 9, code, &blocks)
          case 0xa8c1_03e1 where code.matches(aarch64Clone, at: found): append(RuleNumber.stop, found, 16, code, &blocks)
          default: break
          }
        }
      } else {
        for place in offset..<(offset + byteCount) where code.bytes.load(place, as: UInt16.self) == 0x050f {
          // Every system call; the instructions before it tell which.
          let found = address &+ UInt64(place - offset)
          if SignalTrampoline.begins(at: found &- 7, code) {
            append(RuleNumber.signal, found &- 8, 10, code, &blocks)
          } else if SignalTrampoline.begins(at: found &- 5, code) {
            append(RuleNumber.signal, found &- 6, 8, code, &blocks)
          } else if code.matches(x86Clone, at: found &- 12) {
            append(RuleNumber.stop, found &- 12, 15, code, &blocks)
          }
        }
      }
    }
  }

  private static func append(
    _ rule: UInt16, _ start: UInt64, _ byteCount: UInt64, _ code: CodeImage, _ blocks: inout [CodeBlock]
  ) {
    let end = start &+ byteCount
    guard code.contains(start, end) else { return }
    blocks.append(CodeBlock(start: start, end: end, source: .constant, part: rule))
  }
}
