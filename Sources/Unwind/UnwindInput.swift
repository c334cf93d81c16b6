package import Base
package import ObjectFile

/// What of a file its table is built from, for those who do not read all of it.
package enum UnwindInput {
  package struct Extent: Hashable, Sendable {
    package let fileOffset: FileOffset
    package let byteCount: UInt64
  }
  /// Bytes at the entry point, where it is told from a function.
  private static let entryByteCount: UInt64 = 64
  private static let names = [".eh_frame", ".eh_frame_hdr", ".debug_frame", ".rela.dyn", ".iplt"]

  private static let symbolNames = [".symtab", ".strtab", ".dynsym", ".dynstr"]

  /// In the order of the file; they may touch and overlap.
  ///
  /// Code is among them only where it is looked at: of Go programs, static programs, C libraries without call
  /// frames, and Swift.
  /// - Parameter elf: a file of which the header, both header tables and the section names are there.
  package static func extents(of elf: borrowing ElfFile) -> [Extent] {
    var extents: [Extent] = []
    func append(_ offset: FileOffset, _ byteCount: UInt64) {
      if byteCount > 0 { extents.append(Extent(fileOffset: offset, byteCount: byteCount)) }
    }
    let looksAtCode = OutermostCode.looksAtCode(of: elf) || X86StackCode.isSwift(elf)
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
      if segment.isExecutable ? isGo || looksAtCode : searchesData {
        append(segment.fileOffset, segment.fileByteCount)
      }
    }
    for segment in elf.segments where segment.kind == .ehFrameHeader { append(segment.fileOffset, segment.fileByteCount) }
    if let entry = elf.layout.fileOffset(of: elf.header.entry) { append(entry, entryByteCount) }
    return extents.sorted { $0.fileOffset < $1.fileOffset }
  }
}
