package import Base

/// Where Go's table of functions lies in a file, and its header.
package struct GoTableLocation: Hashable, Sendable {
  package let header: GoTableHeader
  /// Of the table in the file, as far as there are bytes.
  package let fileOffset: Int
  package let byteCount: Int
  package let address: ImageAddress
  /// What entries count from where they are offsets; 0 where they are addresses.
  package let textStart: UInt64

  /// A file without section headers is searched up to here.
  private static let maximumSearchedByteCount = 256 << 20
  /// The linker aligns the table to 32 bytes.
  private static let alignment = 32

  /// `nil` for what is no Go program.
  package init?(_ elf: borrowing ElfFile) {
    // Position-independent programs have it among what is relocated.
    for found in [elf.section(named: ".gopclntab"), elf.section(named: ".data.rel.ro.gopclntab")] {
      guard let section = found?.section, section.kind != .noBits, !section.isCompressed,
        let from = Int(exactly: section.fileOffset.rawValue)
      else { continue }
      self.init(elf, from: from, byteCount: Int(clamping: section.byteCount), address: section.address)
      return
    }
    guard Self.mustSearch(elf), let found = Self.search(elf) else { return nil }
    self = found
  }

  /// Whether the table may lie anywhere in the data: a C linker puts it among the rest of `.data.rel.ro`, and a file may have no
  /// section headers.
  package static func mustSearch(_ elf: borrowing ElfFile) -> Bool {
    if elf.sections.isEmpty { return true }
    let hasTable = elf.section(named: ".gopclntab") != nil || elf.section(named: ".data.rel.ro.gopclntab") != nil
    return !hasTable && (elf.section(named: ".go.buildinfo") != nil || elf.section(named: ".note.go.buildid") != nil)
  }

  private init?(_ elf: borrowing ElfFile, from: Int, byteCount: Int, address: ImageAddress) {
    guard from >= 0, from <= elf.bytes.byteCount else { return nil }
    let byteCount = min(byteCount, elf.bytes.byteCount - from)
    // Before anything is searched for it: a hostile file may have many that begin like a table.
    guard let header = GoTableHeader(elf.bytes.extracting(from..<(from + byteCount))), header.functionCount > 0 else { return nil }
    self.header = header
    fileOffset = from
    self.byteCount = byteCount
    self.address = address
    textStart = header.layout.hasOffsets ? Self.textStart(elf, header, tableAddress: address.rawValue) : 0
  }

  /// What the header says, or is relocated to, or where the code begins.
  private static func textStart(_ elf: borrowing ElfFile, _ header: GoTableHeader, tableAddress: UInt64) -> UInt64 {
    if header.textStart != 0 { return header.textStart }
    let place = tableAddress &+ 8 &+ 2 * 8
    var found: UInt64?
    GoRelocations.forEach(in: elf) { if found == nil, $0 == place { found = $1 } }
    if let found { return found }
    // From Go 1.26 on the header leaves it out.
    if let module = GoModule(elf, header, tableAddress: tableAddress), module.textStart != 0 { return module.textStart }
    return elf.section(named: ".text")?.section.address.rawValue ?? 0
  }

  private static func search(_ elf: borrowing ElfFile) -> GoTableLocation? {
    var left = maximumSearchedByteCount
    for segment in elf.segments where segment.kind == .load && !segment.isExecutable {
      guard let from = Int(exactly: segment.fileOffset.rawValue), from < elf.bytes.byteCount else { continue }
      let byteCount = min(Int(clamping: segment.fileByteCount), elf.bytes.byteCount - from, left)
      left -= byteCount
      // Aligned in memory; the file may lie otherwise.
      let skipped = (alignment - Int(segment.address.rawValue % UInt64(alignment))) % alignment
      for place in stride(from: from + skipped, to: from + byteCount, by: alignment) {
        // The magic numbers differ in their lowest byte alone; two zeroes follow.
        guard let word = elf.bytes.integer(at: place, as: UInt64.self), word & 0xff00_ffff_ffff_ff00 == 0x0800_0000_ffff_ff00
        else { continue }
        let address = ImageAddress(segment.address.rawValue &+ UInt64(place - from))
        if let found = GoTableLocation(elf, from: place, byteCount: from + byteCount - place, address: address) { return found }
      }
    }
    return nil
  }
}

/// The relocations that add the load address to a number, which is all a position-independent Go program has for its tables.
enum GoRelocations {
  /// R_X86_64_RELATIVE or R_AARCH64_RELATIVE, as `r_info` without a symbol.
  static func relative(_ machine: ElfMachine) -> UInt64 { machine == .x86_64 ? 8 : 1027 }

  /// Calls `body` with each place and the image address that belongs there.
  static func forEach(in elf: borrowing ElfFile, _ body: (UInt64, UInt64) -> Void) {
    guard let section = elf.section(named: ".rela.dyn")?.section, section.kind == .relocationsWithAddends else { return }
    let relative = relative(elf.header.machine)
    let entries = elf.bytes(at: section.fileOffset, section.byteCount)
    for index in 0..<entries.byteCount / 24 {
      guard entries.integer(at: index * 24 + 8, as: UInt64.self) == relative,
        let place = entries.integer(at: index * 24, as: UInt64.self),
        let addend = entries.integer(at: index * 24 + 16, as: UInt64.self)
      else { continue }
      body(place, addend)
    }
  }
}
