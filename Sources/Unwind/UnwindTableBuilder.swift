import Base
import ObjectFile

/// Builds the unwind table of a file.
package enum UnwindTableBuilder {
  /// Raised when a file's table comes out differently: what was kept of an older one is then not used.
  package static let version: UInt32 = 3
  /// Blocks that one worker takes at a time; the same for any number of workers, so that the table is too.
  static let blocksPerPart = 4096

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
    let debugFrame = CallFrameLocation.debugFrame(of: elf)
    // Safe: both are used only inside the closures, and so is all that points into them.
    let joined = unsafe file.withUnsafeBytes { file in
      unsafe debugFrame.withUnsafeBytes { debugFrame in
        let sources = unsafe UnwindSources(elf, registers, file: FrameBytes(file), debugFrame: FrameBytes(debugFrame))
        return rows(of: sources, workers: options.workers)
      }
    }
    // Pages that a mapping of code shares with data are no reason to take them for the data's.
    let code = ImageLayout(elf.segments.filter(\.isExecutable))
    return UnwindTable(
      machine: elf.header.machine, layout: code, firstPage: joined.pages.first?.page ?? 0,
      pageStarts: joined.pageStarts(), rows: joined.rows, rules: joined.rules)
  }

  private static func rows(of sources: UnwindSources, workers: Int) -> RowPart {
    let count = (sources.blocks.count + blocksPerPart - 1) / blocksPerPart
    let parts = parallelMap(count: count, workers: workers) { index in
      sources.rows(ofBlocks: index * blocksPerPart..<min((index + 1) * blocksPerPart, sources.blocks.count))
    }
    var joiner = RowJoiner(rowCount: parts.reduce(0) { $0 + $1.rows.count })
    for part in parts { joiner.append(part) }
    return joiner.finish()
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
