import Base
import ObjectFile

/// Builds the unwind table of a file.
package enum UnwindTableBuilder {
  /// Raised when a file's table comes out differently: what was kept of an older one is then not used.
  package static let version: UInt32 = 1
  /// Between two functions fewer bytes than these are padding, which keeps the rule of the function before.
  static let maximumPaddingByteCount: UInt64 = 15
  /// Blocks that one worker takes at a time; the same for any number of workers, so that the table is too.
  static let blocksPerPart = 4096
  /// Of image addresses between a file's lowest and highest code: 16 GiB, for 1 MiB of index.
  static let maximumPageCount: UInt64 = 1 << 18

  package struct Options: Sendable {
    /// Threads that work on it.
    package var workers = 1
    package init(workers: Int = 1) { self.workers = workers }
  }

  /// The table of the ELF file whose bytes are `file`; without rows when nothing in the file says how to unwind.
  /// - Throws: `UnwindError` for what is no ELF file, and for other machines than 64-bit x86-64 and aarch64.
  package static func build(_ file: RawSpan, _ options: Options = Options()) throws(UnwindError) -> UnwindTable {
    let elf: ElfFile
    do throws(MalformedInput) {
      elf = try ElfFile(file)
    } catch {
      throw .unreadableFile(error)
    }
    guard elf.header.fileClass == .elf64, let registers = RegisterNames(elf.header.machine) else {
      throw .unsupportedMachine(elf.header.machine, elf.header.fileClass)
    }
    let code = CodeRanges(elf)
    let ehFrame = CallFrameLocation(ehFrameOf: elf)
    let debugFrame = CallFrameLocation.debugFrame(of: elf)
    let joined = withBytes(of: ehFrame, in: file) { eh in
      // Safe: the array outlives the closure.
      unsafe debugFrame.withUnsafeBytes { debug in
        let debug = unsafe FrameBytes(debug)
        var sections: [CallFrameSection] = []
        var blocks: [CodeBlock] = []
        if let ehFrame {
          var section = CallFrameSection(kind: .ehFrame, bytes: eh, bases: ehFrame.bases, registers: registers)
          section.collect(into: &blocks, index: 0, code: code, functionCount: ehFrame.functionCount)
          sections.append(section)
        }
        if debug.count > 0 {
          var section = CallFrameSection(
            kind: .debugFrame, bytes: debug, bases: PointerEncoding.Bases(section: 0, data: 0), registers: registers)
          section.collect(into: &blocks, index: UInt16(sections.count), code: code)
          sections.append(section)
        }
        return rows(of: blocks.orderedByAddress(), sections, workers: options.workers)
      }
    }
    return UnwindTable(
      machine: elf.header.machine, layout: elf.layout, firstPage: joined.pages.first?.page ?? 0,
      pageStarts: joined.pageStarts(), rows: joined.rows, rules: joined.rules)
  }

  private static func withBytes<Result>(
    of location: CallFrameLocation?, in file: RawSpan, _ body: (FrameBytes) -> Result
  ) -> Result {
    let range = location.map { $0.from..<$0.to } ?? 0..<0
    // Safe: the pointer is used only inside the closure, and so is what `body` is given.
    return unsafe file.extracting(range).withUnsafeBytes { body(unsafe FrameBytes($0)) }
  }

  private static func rows(of blocks: [CodeBlock], _ sections: [CallFrameSection], workers: Int) -> RowJoiner {
    let count = (blocks.count + blocksPerPart - 1) / blocksPerPart
    let parts = parallelMap(count: count, workers: workers) { index in
      part(of: blocks, index * blocksPerPart..<min((index + 1) * blocksPerPart, blocks.count), sections)
    }
    var joiner = RowJoiner(rowCount: parts.reduce(0) { $0 + $1.rows.count })
    for part in parts { joiner.append(part) }
    return joiner
  }

  /// The rows of some blocks, which are in order of address and do not begin at the same address.
  private static func part(of blocks: [CodeBlock], _ range: Range<Int>, _ sections: [CallFrameSection]) -> RowPart {
    var writers = RowWriter()
    var programs = sections.map { FrameProgram(section: $0, common: $0.commonEntries.first ?? CommonEntry()) }
    let makers = sections.map { RuleMaker(registers: $0.registers, bytes: $0.bytes) }
    for index in range {
      let block = blocks[index]
      let next = index + 1 < blocks.count ? blocks[index + 1].start : UInt64.max
      switch block.source {
      case .constant: writers.put(block.start, block.part)
      case .callFrames:
        let part = Int(block.part)
        writers.maker = makers[part]
        programs[part].begin(sections[part].commonEntries[Int(block.common)])
        programs[part].run(
          from: Int(block.from), to: Int(block.to), at: block.start, before: min(block.end, next), into: &writers)
      }
      if next > block.end, next - block.end > maximumPaddingByteCount { writers.put(block.end, RuleNumber.none) }
    }
    return writers.finish()
  }
}

extension RegisterNames {
  init?(_ machine: ElfMachine) {
    switch machine {
    case .x86_64: self = .x86_64
    case .aarch64: self = .aarch64
    default: return nil
    }
  }
}

extension CodeRanges {
  /// The executable segments of a file, as far as an index can reach them from the lowest on.
  init(_ elf: borrowing ElfFile) {
    self.init()
    var lowest = UInt64.max
    for segment in elf.segments where segment.kind == .load && segment.isExecutable {
      lowest = min(lowest, segment.address.rawValue)
    }
    for segment in elf.segments where segment.kind == .load && segment.isExecutable && segment.memoryByteCount > 0 {
      guard let end = segment.address.adding(segment.memoryByteCount), end.rawValue < UInt64(Int64.max) else { continue }
      let reach = (lowest >> UnwindTable.pageBits + UnwindTableBuilder.maximumPageCount) << UnwindTable.pageBits
      if segment.address.rawValue < reach { append(segment.address.rawValue, min(end.rawValue, reach)) }
    }
  }
}
