package import Base

/// What the first bytes of a file say it is (System V gABI, chapter 4, "ELF Identification").
package enum ElfIdentification: Hashable, Sendable {
  case notELF
  /// Little-endian, 32-bit.
  case elf32
  /// Little-endian, 64-bit.
  case elf64
  /// An ELF file of another byte order, class or version, which is not read.
  case unsupported

  /// - Parameter prefix: the first bytes of a file; 7 are enough, fewer are `notELF`.
  package init(prefix: RawSpan) {
    guard prefix.byte(at: 0) == 0x7f, prefix.byte(at: 1) == 0x45, prefix.byte(at: 2) == 0x4c, prefix.byte(at: 3) == 0x46,
      let fileClass = prefix.byte(at: 4), let byteOrder = prefix.byte(at: 5), let version = prefix.byte(at: 6)
    else {
      self = .notELF
      return
    }
    switch (fileClass, byteOrder, version) {
    case (1, 1, 1): self = .elf32
    case (2, 1, 1): self = .elf64
    default: self = .unsupported
    }
  }

  /// An ELF file this room reads.
  package var isELF: Bool { self == .elf32 || self == .elf64 }
}

/// `e_machine`: whose instructions a file holds.
package struct ElfMachine: Hashable, Sendable {
  package let rawValue: UInt16
  package init(_ rawValue: UInt16) { self.rawValue = rawValue }
  package static let i386 = Self(3)
  package static let x86_64 = Self(62)
  package static let aarch64 = Self(183)
}

/// The file header (System V gABI, chapter 4, "ELF Header"); little-endian, 32-bit or 64-bit.
package struct ElfHeader: Hashable, Sendable {
  package enum FileClass: UInt8, Hashable, Sendable {
    case elf32 = 1
    case elf64 = 2
  }
  /// The most bytes a header takes: enough to read before anything is known.
  package static let maximumByteCount = 64

  package let fileClass: FileClass
  /// `e_type`: 2 for fixed addresses, 3 for position-independent code and libraries.
  package let type: UInt16
  package let machine: ElfMachine
  package let entry: ImageAddress
  package let programHeaderOffset: FileOffset
  /// Zero when there is no section header table.
  package let sectionHeaderOffset: FileOffset
  /// `e_phentsize`: bytes from one program header to the next.
  package let programHeaderByteCount: UInt16
  /// `e_phnum` as it stands; 0xffff when section header 0 holds the count.
  package let programHeaderCount: UInt16
  /// `e_shentsize`: bytes from one section header to the next.
  package let sectionHeaderByteCount: UInt16
  /// `e_shnum` as it stands; 0 when section header 0 holds the count.
  package let sectionHeaderCount: UInt16
  /// `e_shstrndx` as it stands; 0xffff when section header 0 holds the index.
  package let sectionNameTableIndex: UInt16

  package init(_ cursor: inout ByteCursor) throws(MalformedInput) {
    let magic: UInt32 = try cursor.read("e_ident[EI_MAG]")
    guard magic == 0x464c_457f else {
      throw MalformedInput(field: "e_ident[EI_MAG]", offset: FileOffset(0), problem: .unsupported(value: UInt64(magic)))
    }
    let rawClass: UInt8 = try cursor.read("e_ident[EI_CLASS]")
    guard let fileClass = FileClass(rawValue: rawClass) else {
      throw MalformedInput(field: "e_ident[EI_CLASS]", offset: FileOffset(4), problem: .unsupported(value: UInt64(rawClass)))
    }
    self.fileClass = fileClass
    let byteOrder: UInt8 = try cursor.read("e_ident[EI_DATA]")
    guard byteOrder == 1 else {
      throw MalformedInput(
        field: "e_ident[EI_DATA]", offset: FileOffset(5),
        problem: byteOrder == 2
          ? .inconsistent("says big-endian, and only little-endian files are read") : .unsupported(value: UInt64(byteOrder)))
    }
    let version: UInt8 = try cursor.read("e_ident[EI_VERSION]")
    guard version == 1 else {
      throw MalformedInput(field: "e_ident[EI_VERSION]", offset: FileOffset(6), problem: .unsupported(value: UInt64(version)))
    }
    try cursor.skip(9, "e_ident[EI_OSABI] … e_ident[EI_PAD]")
    type = try cursor.read("e_type")
    machine = ElfMachine(try cursor.read("e_machine"))
    try cursor.skip(4, "e_version")
    entry = ImageAddress(try cursor.readWord("e_entry", fileClass))
    programHeaderOffset = FileOffset(try cursor.readWord("e_phoff", fileClass))
    sectionHeaderOffset = FileOffset(try cursor.readWord("e_shoff", fileClass))
    try cursor.skip(6, "e_flags … e_ehsize")
    programHeaderByteCount = try cursor.read("e_phentsize")
    programHeaderCount = try cursor.read("e_phnum")
    sectionHeaderByteCount = try cursor.read("e_shentsize")
    sectionHeaderCount = try cursor.read("e_shnum")
    sectionNameTableIndex = try cursor.read("e_shstrndx")
  }

  /// Bytes of the file header itself.
  package var byteCount: Int { fileClass == .elf64 ? 64 : 52 }
}

extension ByteCursor {
  /// A field as wide as the file's addresses.
  mutating func readWord(_ field: StaticString, _ fileClass: ElfHeader.FileClass) throws(MalformedInput) -> UInt64 {
    switch fileClass {
    case .elf64: try read(field, as: UInt64.self)
    case .elf32: UInt64(try read(field, as: UInt32.self))
    }
  }
}
