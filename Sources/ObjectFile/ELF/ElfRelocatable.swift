package import Base

/// A file that no linker has given addresses yet (`ET_REL`): an object file, a kernel module. Its sections get places one after
/// another, so that an address names one of them, and what refers to them is written in.
package struct ElfRelocatable: Sendable {
  static let fileType: UInt16 = 1
  /// Below it lies nothing: 0 stays an address of no code.
  private static let firstAddress: UInt64 = 0x1_0000
  private static let maximumAlignment: UInt64 = 1 << 30

  /// By section index: where the section begins; 0 for one that is not loaded.
  package let bases: [UInt64]

  /// - Throws: `MalformedInput` for an unlinked file whose relocations are not known here: read without them, all of its code
  ///   would lie at 0.
  package static func check(_ header: ElfHeader) throws(MalformedInput) {
    guard header.type == fileType else { return }
    guard header.fileClass == .elf64 else {
      throw MalformedInput(
        field: "e_ident[EI_CLASS]", offset: FileOffset(4),
        problem: .inconsistent("says 32-bit, and of files that are not linked only 64-bit ones are read"))
    }
    guard header.machine == .x86_64 || header.machine == .aarch64 else {
      throw MalformedInput(
        field: "e_machine", offset: FileOffset(18),
        problem: .inconsistent(
          "is \(header.machine.rawValue), and of files that are not linked only those of x86-64 (62) and AArch64 (183) are read"))
    }
  }

  /// `nil` for a file that is linked.
  package init?(_ file: borrowing ElfFile) {
    guard file.header.type == Self.fileType else { return nil }
    var bases: [UInt64] = []
    bases.reserveCapacity(file.sections.count)
    var next = Self.firstAddress
    for section in file.sections {
      guard section.isAllocated, section.alignment <= Self.maximumAlignment, section.byteCount < 1 << 40 else {
        bases.append(0)
        continue
      }
      let alignment = max(section.alignment, 1)
      // A file has too few sections for this to run out of numbers.
      next = (next &+ alignment &- 1) / alignment &* alignment
      bases.append(next)
      next = next &+ section.byteCount &+ 1
    }
    self.bases = bases
  }

  /// The contents of the section at `index`, with the relocations that the file has for it.
  ///
  /// Relocations of a kind that debug information does not have are left out, as are those of symbols that are not in this file.
  /// - Parameter contents: inflated, if they were compressed.
  /// - Returns: `nil` when there are no relocations for the section.
  package func relocated(_ contents: RawSpan, ofSection index: Int, in file: borrowing ElfFile) -> [UInt8]? {
    // One table a section, or a hostile file could have the same one applied again and again.
    guard file.header.fileClass == .elf64,
      let table = file.sections.first(where: { $0.kind == .relocationsWithAddends && Int($0.info) == index }), !table.isCompressed,
      let symbols = file.symbolTable
    else { return nil }
    let entries = file.fileBytes(table)
    var bytes = contents.copied()
    for entry in 0..<(entries.byteCount / 24) {
      let at = entry * 24
      guard let offset = entries.integer(at: at, as: UInt64.self), let info = entries.integer(at: at + 8, as: UInt64.self),
        let addend = entries.integer(at: at + 16, as: UInt64.self),
        let field = Field(type: UInt32(truncatingIfNeeded: info), file.header.machine), let place = Int(exactly: offset),
        place <= bytes.count, field.byteCount <= bytes.count - place, let symbol = Int(exactly: info >> 32), symbol < symbols.count
      else { continue }
      let entry = symbols[symbol]
      let section = Int(symbols.sectionIndex(of: entry, at: symbol))
      guard section != 0, bases.indices.contains(section) else { continue }
      var value = bases[section] &+ entry.value &+ addend
      if field.isRelative { value = value &- bases[index] &- offset }
      for byte in 0..<field.byteCount { bytes[place + byte] = UInt8(truncatingIfNeeded: value &>> UInt64(8 * byte)) }
    }
    return bytes
  }

  /// What a relocation changes (psABIs of x86-64, table 4.9, and of AArch64, table "Static data relocations").
  private struct Field {
    var byteCount: Int
    var isRelative: Bool

    init?(type: UInt32, _ machine: ElfMachine) {
      switch (machine, type) {
      case (.x86_64, 1), (.aarch64, 257): (byteCount, isRelative) = (8, false)  // R_X86_64_64, R_AARCH64_ABS64
      case (.x86_64, 10), (.x86_64, 11), (.aarch64, 258): (byteCount, isRelative) = (4, false)  // …_32, …_32S, …_ABS32
      case (.x86_64, 24), (.aarch64, 260): (byteCount, isRelative) = (8, true)  // R_X86_64_PC64, R_AARCH64_PREL64
      case (.x86_64, 2), (.aarch64, 261): (byteCount, isRelative) = (4, true)  // R_X86_64_PC32, R_AARCH64_PREL32
      default: return nil
      }
    }
  }
}
