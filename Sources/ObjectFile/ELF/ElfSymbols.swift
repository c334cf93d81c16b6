package import Base

/// A symbol table entry (System V gABI, chapter 4, "Symbol Table").
package struct ElfSymbol: Hashable, Sendable {
  package struct Kind: Hashable, Sendable {
    package let rawValue: UInt8
    package init(_ rawValue: UInt8) { self.rawValue = rawValue }
    package static let none = Self(0)
    package static let object = Self(1)
    package static let function = Self(2)
    package static let section = Self(3)
    package static let file = Self(4)
    /// A function whose address a resolver chooses when the program starts.
    package static let indirectFunction = Self(10)
  }
  package struct Binding: Hashable, Sendable {
    package let rawValue: UInt8
    package init(_ rawValue: UInt8) { self.rawValue = rawValue }
    package static let local = Self(0)
    package static let global = Self(1)
    package static let weak = Self(2)
    package static let unique = Self(10)
  }
  package static let undefinedSection: UInt32 = 0
  package static let absoluteSection: UInt32 = 0xfff1
  package static let commonSection: UInt32 = 0xfff2

  /// Bytes into the string table; 0 for none.
  package let nameOffset: UInt32
  package let info: UInt8
  package let other: UInt8
  /// `st_shndx` as it stands; 0xffff when `.symtab_shndx` holds it.
  package let section: UInt16
  package let value: UInt64
  package let byteCount: UInt64

  package var kind: Kind { Kind(info & 15) }
  package var binding: Binding { Binding(info >> 4) }
}

/// The entries of one symbol table, read where they lie.
package struct ElfSymbolTable: ~Escapable {
  private let entries: RawSpan
  private let fileClass: ElfHeader.FileClass
  private let sectionIndices: RawSpan
  /// The names; `string(at:)` reads one.
  package let strings: RawSpan
  /// Where the names lie in the file.
  package let stringsOffset: FileOffset
  package let count: Int

  /// - Parameter sectionIndices: the contents of `.symtab_shndx`, or nothing.
  @_lifetime(copy file)
  init(
    _ file: borrowing ElfFile, entries: (FileOffset, UInt64), strings: (FileOffset, UInt64),
    sectionIndices: (FileOffset, UInt64) = (FileOffset(0), 0)
  ) {
    self.entries = file.bytes(at: entries.0, entries.1)
    self.strings = file.bytes(at: strings.0, strings.1)
    self.sectionIndices = file.bytes(at: sectionIndices.0, sectionIndices.1)
    stringsOffset = strings.0
    fileClass = file.header.fileClass
    count = self.entries.byteCount / Self.byteCount(fileClass)
  }

  package static func byteCount(_ fileClass: ElfHeader.FileClass) -> Int { fileClass == .elf64 ? 24 : 16 }

  /// - Parameter index: below `count`.
  package subscript(_ index: Int) -> ElfSymbol {
    precondition(index >= 0 && index < count)
    // Safe (all reads below): `index` is below `count`, so the whole entry lies within `entries`.
    switch fileClass {
    case .elf64:
      let at = index * 24
      return unsafe ElfSymbol(
        nameOffset: UInt32(littleEndian: entries.unsafeLoadUnaligned(fromByteOffset: at, as: UInt32.self)),
        info: entries.unsafeLoad(fromByteOffset: at + 4, as: UInt8.self),
        other: entries.unsafeLoad(fromByteOffset: at + 5, as: UInt8.self),
        section: UInt16(littleEndian: entries.unsafeLoadUnaligned(fromByteOffset: at + 6, as: UInt16.self)),
        value: UInt64(littleEndian: entries.unsafeLoadUnaligned(fromByteOffset: at + 8, as: UInt64.self)),
        byteCount: UInt64(littleEndian: entries.unsafeLoadUnaligned(fromByteOffset: at + 16, as: UInt64.self)))
    case .elf32:
      let at = index * 16
      return unsafe ElfSymbol(
        nameOffset: UInt32(littleEndian: entries.unsafeLoadUnaligned(fromByteOffset: at, as: UInt32.self)),
        info: entries.unsafeLoad(fromByteOffset: at + 12, as: UInt8.self),
        other: entries.unsafeLoad(fromByteOffset: at + 13, as: UInt8.self),
        section: UInt16(littleEndian: entries.unsafeLoadUnaligned(fromByteOffset: at + 14, as: UInt16.self)),
        value: UInt64(UInt32(littleEndian: entries.unsafeLoadUnaligned(fromByteOffset: at + 4, as: UInt32.self))),
        byteCount: UInt64(UInt32(littleEndian: entries.unsafeLoadUnaligned(fromByteOffset: at + 8, as: UInt32.self))))
    }
  }

  /// The section the symbol at `index` is defined in, extended numbering resolved; 0 when undefined.
  package func sectionIndex(of symbol: ElfSymbol, at index: Int) -> UInt32 {
    guard symbol.section == 0xffff else { return UInt32(symbol.section) }
    let at = index * 4
    guard at + 4 <= sectionIndices.byteCount else { return ElfSymbol.undefinedSection }
    // Safe: the four bytes lie within by the guard above.
    return UInt32(littleEndian: unsafe sectionIndices.unsafeLoadUnaligned(fromByteOffset: at, as: UInt32.self))
  }

  /// The name's bytes without their NUL; empty past the end of the table.
  @_lifetime(copy self)
  package func name(at offset: UInt32) -> RawSpan {
    ElfStrings.string(at: Int(offset), in: strings)
  }
}

/// NUL-terminated strings in a string table.
package enum ElfStrings {
  /// A longer name is cut here: no linker writes one, and reading it again and again would take for ever.
  package static let maximumNameByteCount = 1 << 17

  /// The bytes from `offset` up to the NUL; empty past the end of the table.
  @_lifetime(copy table)
  package static func string(at offset: Int, in table: RawSpan, limit: Int = maximumNameByteCount) -> RawSpan {
    guard offset >= 0, offset < table.byteCount else { return table.extracting(0..<0) }
    let limit = offset + min(limit, table.byteCount - offset)
    return table.extracting(offset..<(table.firstIndex(of: 0, in: offset..<limit) ?? limit))
  }
}

extension ElfFile {
  /// `.symtab` with its names; `nil` when there is none or its bytes are not in this file.
  package var symbolTable: ElfSymbolTable? {
    @_lifetime(copy self) get { symbolTable(of: .symbolTable) }
  }

  /// `.dynsym` with its names, found through the section headers or, without them, the dynamic section.
  package var dynamicSymbolTable: ElfSymbolTable? {
    @_lifetime(copy self) get {
      if let table = symbolTable(of: .dynamicSymbols) { return table }
      guard let found = dynamicSection?.symbolTable(in: self) else { return nil }
      return ElfSymbolTable(self, entries: found.entries, strings: found.strings)
    }
  }

  @_lifetime(copy self)
  private func symbolTable(of kind: ElfSection.Kind) -> ElfSymbolTable? {
    guard let (index, section) = self.section(of: kind), !section.isCompressed,
      let link = Int(exactly: section.link), sections.indices.contains(link)
    else { return nil }
    let strings = sections[link]
    guard strings.kind != .noBits, !strings.isCompressed else { return nil }
    var indices = (FileOffset(0), UInt64(0))
    for other in sections where other.kind == .symbolSectionIndices && Int(exactly: other.link) == index {
      indices = (other.fileOffset, other.byteCount)
    }
    return ElfSymbolTable(
      self, entries: (section.fileOffset, section.byteCount), strings: (strings.fileOffset, strings.byteCount),
      sectionIndices: indices)
  }
}
