import Base

/// What of a Go program's data its inlined calls need beside its table: the few numbers of `moduledata`, and the functions' data
/// that these lead to. About a twentieth of a program. In position-independent programs relocations put the numbers in, which
/// are then what is kept of them.
struct GoCopyPlan {
  /// To be kept.
  private(set) var extents: [ElfCopyPlan.Extent] = []
  /// The sections that the extents are parts of; of these nothing else is kept.
  private(set) var sections: [Int] = []

  /// `moduledata` is looked for in so many bytes.
  private static let maximumSearchedByteCount: UInt64 = 16 << 20
  private static let pieceByteCount = 1 << 20
  /// More than the structure has.
  private static let moduleByteCount = 1024

  /// Finds nothing in what is no Go program, or not from Go 1.18 on.
  /// - Parameters:
  ///   - sections: of the file, each with its name.
  ///   - read: the bytes at an offset; fewer at the end of the file.
  init<Failure: Error>(
    _ sections: [(name: String, section: ElfSection)], _ machine: ElfMachine,
    _ read: (FileOffset, Int) throws(Failure) -> [UInt8]
  ) throws(Failure) {
    guard let table = sections.first(where: { $0.name.hasSuffix(".gopclntab") })?.section, table.kind != .noBits else { return }
    let header = try read(table.fileOffset, 72)
    guard let layout = header.borrowedBytes.integer(at: 0, as: UInt32.self).flatMap({ GoTableHeader.Layout(rawValue: $0) }),
      layout.hasOffsets, let names = header.borrowedBytes.integer(at: 32, as: UInt64.self)
    else { return }
    let wanted = (table.address.rawValue, table.address.rawValue &+ names)
    let word = GoModule.functionDataWord(layout)
    var left = Self.maximumSearchedByteCount
    for name in [".go.module", ".noptrdata", ".data"] {
      guard let index = sections.firstIndex(where: { $0.name == name }), sections[index].section.kind != .noBits else { continue }
      let section = sections[index].section
      let byteCount = min(section.byteCount, left)
      left -= byteCount
      guard let place = try Self.search(section, byteCount, wanted, read),
        let offset = section.fileOffset.adding(place)
      else { continue }
      let module = try read(offset, Self.moduleByteCount)
      guard let data = module.borrowedBytes.integer(at: 8 * word, as: UInt64.self) else { return }
      let kept = ElfCopyPlan.Extent(fileOffset: offset, byteCount: min(UInt64(Self.moduleByteCount), section.byteCount - place))
      keep(kept, of: index, andDataAt: data, sections)
      return
    }
    guard let index = sections.firstIndex(where: { $0.name == ".rela.dyn" }),
      let found = try Self.searchRelocations(sections[index].section, GoRelocations.relative(machine), wanted, word, read)
    else { return }
    keep(found.extent, of: index, andDataAt: found.data, sections)
  }

  /// Keeps what holds the numbers, and the functions' data from `data` on.
  private mutating func keep(
    _ numbers: ElfCopyPlan.Extent, of index: Int, andDataAt data: UInt64, _ all: [(name: String, section: ElfSection)]
  ) {
    guard let home = all.firstIndex(where: { Self.holds($0.section, data) }) else { return }
    let distance = data - all[home].section.address.rawValue
    guard let start = all[home].section.fileOffset.adding(distance) else { return }
    extents = [numbers, ElfCopyPlan.Extent(fileOffset: start, byteCount: all[home].section.byteCount - distance)]
    sections = [index, home]
  }

  private static func holds(_ section: ElfSection, _ address: UInt64) -> Bool {
    section.isAllocated && !section.isExecutable && section.kind != .noBits && address >= section.address.rawValue
      && address - section.address.rawValue < section.byteCount
  }

  /// The distance into the section of two words that follow one another.
  private static func search<Failure: Error>(
    _ section: ElfSection, _ byteCount: UInt64, _ wanted: (UInt64, UInt64),
    _ read: (FileOffset, Int) throws(Failure) -> [UInt8]
  ) throws(Failure) -> UInt64? {
    var place: UInt64 = 0
    while place < byteCount, let offset = section.fileOffset.adding(place) {
      // A word more than the step, for a pair that lies across its end.
      let bytes = try read(offset, Int(min(UInt64(pieceByteCount + 8), byteCount - place)))
      let span = bytes.borrowedBytes
      for index in stride(from: 0, to: max(bytes.count - 15, 0), by: 8)
      where span.integer(at: index, as: UInt64.self) == wanted.0 && span.integer(at: index + 8, as: UInt64.self) == wanted.1 {
        return place + UInt64(index)
      }
      place += UInt64(pieceByteCount)
    }
    return nil
  }

  /// The relocations from the first word of `moduledata`, told by what this and the next are to hold, to the one of `word`, and
  /// what that one puts there. They come in order of place.
  private static func searchRelocations<Failure: Error>(
    _ section: ElfSection, _ relative: UInt64, _ wanted: (UInt64, UInt64), _ word: Int,
    _ read: (FileOffset, Int) throws(Failure) -> [UInt8]
  ) throws(Failure) -> (extent: ElfCopyPlan.Extent, data: UInt64)? {
    guard section.kind == .relocationsWithAddends else { return nil }
    let entryByteCount = 24
    let byteCount = min(section.byteCount, maximumSearchedByteCount)
    var place: UInt64 = 0
    var first: (address: UInt64, place: UInt64)?
    var isModule = false
    while place < byteCount, let offset = section.fileOffset.adding(place) {
      let bytes = try read(offset, Int(min(UInt64(pieceByteCount / entryByteCount * entryByteCount), byteCount - place)))
      let span = bytes.borrowedBytes
      guard bytes.count >= entryByteCount else { return nil }
      for index in stride(from: 0, through: bytes.count - entryByteCount, by: entryByteCount) {
        guard span.integer(at: index + 8, as: UInt64.self) == relative,
          let address = span.integer(at: index, as: UInt64.self), let value = span.integer(at: index + 16, as: UInt64.self)
        else { continue }
        let here = place + UInt64(index)
        if let first, isModule {
          let distance = address &- first.address
          guard distance >= 8 * UInt64(word) else { continue }
          guard distance == 8 * UInt64(word), let start = section.fileOffset.adding(first.place) else { return nil }
          return (ElfCopyPlan.Extent(fileOffset: start, byteCount: here + UInt64(entryByteCount) - first.place), value)
        }
        if let first, address == first.address &+ 8, value == wanted.1 {
          isModule = true
        } else {
          first = value == wanted.0 ? (address, here) : nil
        }
      }
      place += UInt64(bytes.count / entryByteCount * entryByteCount)
    }
    return nil
  }
}
