package import Base

/// A section header (System V gABI, chapter 4, "Sections").
package struct ElfSection: Hashable, Sendable {
  package struct Kind: Hashable, Sendable {
    package let rawValue: UInt32
    package init(_ rawValue: UInt32) { self.rawValue = rawValue }
    package static let null = Self(0)
    package static let programBits = Self(1)
    package static let symbolTable = Self(2)
    package static let stringTable = Self(3)
    package static let relocationsWithAddends = Self(4)
    package static let hash = Self(5)
    package static let dynamic = Self(6)
    package static let note = Self(7)
    /// Takes no bytes of the file, whatever `sh_size` says.
    package static let noBits = Self(8)
    package static let relocations = Self(9)
    package static let dynamicSymbols = Self(11)
    package static let symbolSectionIndices = Self(18)
    package static let gnuHash = Self(0x6fff_fff6)
    package static let gnuVersionDefinitions = Self(0x6fff_fffd)
    package static let gnuVersionNeeds = Self(0x6fff_fffe)
    package static let gnuVersions = Self(0x6fff_ffff)
  }
  package static let allocatedFlag: UInt64 = 0x2
  package static let executableFlag: UInt64 = 0x4
  package static let compressedFlag: UInt64 = 0x800

  /// `sh_name`: bytes into the section name table.
  package let nameOffset: UInt32
  package let kind: Kind
  package let flags: UInt64
  package let address: ImageAddress
  package let fileOffset: FileOffset
  package let byteCount: UInt64
  package let link: UInt32
  package let info: UInt32
  package let alignment: UInt64
  package let entryByteCount: UInt64

  package var isAllocated: Bool { flags & Self.allocatedFlag != 0 }
  package var isExecutable: Bool { flags & Self.executableFlag != 0 }
  package var isCompressed: Bool { flags & Self.compressedFlag != 0 }

  package init(_ cursor: inout ByteCursor, _ fileClass: ElfHeader.FileClass) throws(MalformedInput) {
    nameOffset = try cursor.read("sh_name")
    kind = Kind(try cursor.read("sh_type"))
    flags = try cursor.readWord("sh_flags", fileClass)
    address = ImageAddress(try cursor.readWord("sh_addr", fileClass))
    fileOffset = FileOffset(try cursor.readWord("sh_offset", fileClass))
    byteCount = try cursor.readWord("sh_size", fileClass)
    link = try cursor.read("sh_link")
    info = try cursor.read("sh_info")
    alignment = try cursor.readWord("sh_addralign", fileClass)
    entryByteCount = try cursor.readWord("sh_entsize", fileClass)
  }

  /// Bytes of one entry as the specification has it.
  package static func byteCount(_ fileClass: ElfHeader.FileClass) -> Int { fileClass == .elf64 ? 64 : 40 }

  /// The entries of a section header table whose bytes are `table`.
  static func entries(
    _ table: RawSpan, count: Int, stride: Int, _ fileClass: ElfHeader.FileClass
  ) throws(MalformedInput) -> [ElfSection] {
    var entries: [ElfSection] = []
    entries.reserveCapacity(count)
    var cursor = ByteCursor(table)
    for index in 0..<count {
      try cursor.seek(to: UInt64(index * stride), "section header table")
      entries.append(try ElfSection(&cursor, fileClass))
    }
    return entries
  }
}
