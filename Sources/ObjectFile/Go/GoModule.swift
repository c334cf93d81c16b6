import Base

/// What the runtime's `moduledata` says that `.gopclntab` does not (Go's `src/runtime/symtab.go`); from Go 1.18 on.
package struct GoModule: Hashable, Sendable {
  /// The address of `runtime.text`, which entries count from.
  package let textStart: UInt64
  /// The address of `go:func.*`, which the functions' data counts from; 0 when it was not found.
  package let functionData: UInt64

  /// In words from the start of the structure.
  private static let textWord = 22
  static func functionDataWord(_ layout: GoTableHeader.Layout) -> Int { layout == .go1_20 ? 40 : 38 }
  private static let maximumSearchedByteCount = 64 << 20

  package init?(_ elf: borrowing ElfFile, _ header: GoTableHeader, tableAddress: UInt64) {
    guard header.layout.hasOffsets, tableAddress != 0 else { return nil }
    let namesAddress = tableAddress &+ UInt64(header.names)
    // It begins with the addresses of the table and of its names, in the file itself or in its relocations.
    guard
      let place = Self.searchBytes(elf, tableAddress, namesAddress) ?? Self.searchRelocations(elf, tableAddress, namesAddress)
    else { return nil }
    let words = [Self.textWord, Self.functionDataWord(header.layout) - 1, Self.functionDataWord(header.layout)]
    let places = words.map { place &+ UInt64($0) * 8 }
    var values = places.map { elf.bytes(at: ImageAddress($0), 8).integer(at: 0, as: UInt64.self) ?? 0 }
    if values.contains(0) {
      GoRelocations.forEach(in: elf) { place, value in
        for index in places.indices where places[index] == place && values[index] == 0 { values[index] = value }
      }
    }
    textStart = values[0]
    // `rodata` stands before it, and holds it.
    functionData = values[1] <= values[2] ? values[2] : 0
  }

  private static func searchBytes(_ elf: borrowing ElfFile, _ first: UInt64, _ second: UInt64) -> UInt64? {
    var left = maximumSearchedByteCount
    func search(_ bytes: RawSpan, _ address: UInt64) -> UInt64? {
      for offset in stride(from: 0, to: max(bytes.byteCount - 16, 0), by: 8)
      where bytes.integer(at: offset, as: UInt64.self) == first && bytes.integer(at: offset + 8, as: UInt64.self) == second {
        return address &+ UInt64(offset)
      }
      return nil
    }
    for name: StaticString in [".go.module", ".noptrdata", ".data", ".data.rel.ro"] {
      guard let section = elf.section(named: name)?.section, section.kind != .noBits else { continue }
      let bytes = elf.bytes(at: section.fileOffset, min(section.byteCount, UInt64(left)))
      left -= bytes.byteCount
      if let found = search(bytes, section.address.rawValue) { return found }
    }
    guard elf.sections.isEmpty else { return nil }
    for segment in elf.segments where segment.kind == .load && !segment.isExecutable {
      let bytes = elf.bytes(at: segment.fileOffset, min(segment.fileByteCount, UInt64(left)))
      left -= bytes.byteCount
      if let found = search(bytes, segment.address.rawValue) { return found }
    }
    return nil
  }

  private static func searchRelocations(_ elf: borrowing ElfFile, _ first: UInt64, _ second: UInt64) -> UInt64? {
    // One of them names the place, the other the next word; they come in order of place.
    var last: UInt64?
    var found: UInt64?
    GoRelocations.forEach(in: elf) { place, value in
      if found == nil, let last, place == last &+ 8, value == second { found = last }
      last = value == first ? place : nil
    }
    return found
  }
}
