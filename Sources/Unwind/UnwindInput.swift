package import Base
package import ObjectFile

/// What of a file its table is built from, for those who do not read all of it.
package enum UnwindInput {
  package struct Extent: Hashable, Sendable {
    package let fileOffset: FileOffset
    package let byteCount: UInt64
    fileprivate var end: UInt64 { fileOffset.rawValue &+ byteCount }
  }
  /// Bytes at the entry point, where it is told from a function.
  private static let entryByteCount: UInt64 = 64
  private static let names = [".eh_frame", ".eh_frame_hdr", ".debug_frame", ".rela.dyn", ".iplt"]

  private static let symbolNames = [".symtab", ".strtab", ".dynsym", ".dynstr"]

  package enum Purpose: Sendable {
    /// All that the table is built from.
    case table
    /// That, but for what `code(of:file:limit:)` then names: of Swift's code a tenth, where all of it may be most of the file.
    case tableWithoutNamedCode
    /// Only what `code(of:file:limit:)` looks at.
    case code
  }

  /// In the order of the file; they may touch and overlap.
  ///
  /// Code is among them only where it is looked at: of Go programs, static programs, C libraries without call
  /// frames, and Swift.
  /// - Parameter elf: a file of which the header, both header tables and the section names are there.
  package static func extents(of elf: borrowing ElfFile, for purpose: Purpose = .table) -> [Extent] {
    var extents: [Extent] = []
    func append(_ offset: FileOffset, _ byteCount: UInt64) {
      if byteCount > 0 { extents.append(Extent(fileOffset: offset, byteCount: byteCount)) }
    }
    let searchesCode = OutermostCode.looksAtCode(of: elf)
    let looksAtCode = searchesCode || X86StackCode.isSwift(elf)
    let searchesData = GoTableLocation.mustSearch(elf)
    var isGo = searchesData && !elf.sections.isEmpty
    for index in elf.sections.indices where elf.sections[index].kind != .noBits {
      let name = elf.sectionName(index).text()
      let isTable = name.hasSuffix(".gopclntab")
      isGo = isGo || isTable
      let isSymbols = looksAtCode && symbolNames.contains(name)
      guard isTable || isSymbols || name.hasPrefix(".plt") || names.contains(name) else { continue }
      append(elf.sections[index].fileOffset, elf.sections[index].byteCount)
    }
    for segment in elf.segments where segment.kind == .load {
      let needsCode =
        switch purpose {
        case .table: isGo || looksAtCode
        case .tableWithoutNamedCode: isGo || searchesCode
        case .code: searchesCode
        }
      if segment.isExecutable ? needsCode : searchesData {
        append(segment.fileOffset, segment.fileByteCount)
      }
    }
    for segment in elf.segments where segment.kind == .ehFrameHeader { append(segment.fileOffset, segment.fileByteCount) }
    if let entry = elf.layout.fileOffset(of: elf.header.entry) { append(entry, entryByteCount) }
    return extents.sorted { $0.fileOffset < $1.fileOffset }
  }

  /// Of the code that `code(of:file:limit:)` names, so that copies of files stay small: what musl, static programs and Swift's libraries
  /// have of it is less than a tenth.
  package static let maximumCodeByteCount: UInt64 = 16 << 20
  /// Between two functions that are named.
  private static let mergedGap: UInt64 = 64

  /// Whether there may be rules that are made from code, so that it is worth asking which.
  package static func readsCode(of elf: borrowing ElfFile) -> Bool {
    elf.header.fileClass == .elf64 && (OutermostCode.looksAtCode(of: elf) || X86StackCode.isSwift(elf))
  }

  /// The code that rules are made from: with it, a copy that has everything but code is unwound as the file is.
  /// - Parameters:
  ///   - elf: a file of which the extents are there.
  ///   - file: its bytes.
  ///   - limit: in bytes; what is beyond it is left out.
  package static func code(of elf: borrowing ElfFile, file: RawSpan, limit: UInt64 = maximumCodeByteCount) -> [Extent] {
    guard readsCode(of: elf), let registers = RegisterNames(elf.header.machine) else { return [] }
    // Safe: used only inside the closure, and so is all that points into it.
    let blocks = unsafe file.withUnsafeBytes { file in
      let nothing = unsafe FrameBytes(UnsafeRawBufferPointer(start: nil, count: 0))
      return unsafe UnwindSources(elf, registers, file: FrameBytes(file), debugFrame: nothing).blocks
    }
    var extents: [Extent] = []
    var left = limit
    for block in blocks {
      switch block.source {
      case .x86Code, .linkRegister: break
      case .constant where block.end - block.start <= entryByteCount: break
      case .constant, .callFrames, .go, .stubs: continue
      }
      guard let offset = elf.layout.fileOffset(of: ImageAddress(block.start)) else { continue }
      let byteCount = block.end &- block.start
      let start = offset.rawValue
      if let last = extents.last, start >= last.fileOffset.rawValue, start <= last.end &+ mergedGap {
        let more = max(start &+ byteCount, last.end) &- last.end
        guard more <= left else { break }
        left -= more
        extents[extents.count - 1] = Extent(fileOffset: last.fileOffset, byteCount: last.byteCount + more)
      } else {
        guard byteCount <= left else { break }
        left -= byteCount
        extents.append(Extent(fileOffset: offset, byteCount: byteCount))
      }
    }
    return extents
  }
}
