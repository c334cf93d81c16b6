package import Base

/// A program header (System V gABI, chapter 5, "Program Header").
package struct ElfSegment: Hashable, Sendable {
  package struct Kind: Hashable, Sendable {
    package let rawValue: UInt32
    package init(_ rawValue: UInt32) { self.rawValue = rawValue }
    package static let load = Self(1)
    package static let dynamic = Self(2)
    package static let interpreter = Self(3)
    package static let note = Self(4)
    package static let ehFrameHeader = Self(0x6474_e550)
  }
  package let kind: Kind
  /// `p_flags`: 1 executable, 2 writable, 4 readable.
  package let flags: UInt32
  package let fileOffset: FileOffset
  package let address: ImageAddress
  package let fileByteCount: UInt64
  package let memoryByteCount: UInt64
  package let alignment: UInt64

  package var isExecutable: Bool { flags & 1 != 0 }

  package init(_ cursor: inout ByteCursor, _ fileClass: ElfHeader.FileClass) throws(MalformedInput) {
    kind = Kind(try cursor.read("p_type"))
    var flags: UInt32 = 0
    if fileClass == .elf64 { flags = try cursor.read("p_flags") }
    fileOffset = FileOffset(try cursor.readWord("p_offset", fileClass))
    address = ImageAddress(try cursor.readWord("p_vaddr", fileClass))
    _ = try cursor.readWord("p_paddr", fileClass)
    fileByteCount = try cursor.readWord("p_filesz", fileClass)
    memoryByteCount = try cursor.readWord("p_memsz", fileClass)
    if fileClass == .elf32 { flags = try cursor.read("p_flags") }
    alignment = try cursor.readWord("p_align", fileClass)
    self.flags = flags
  }

  /// Bytes of one entry as the specification has it.
  package static func byteCount(_ fileClass: ElfHeader.FileClass) -> Int { fileClass == .elf64 ? 56 : 32 }

  /// The entries of a program header table whose bytes are `table`.
  static func entries(
    _ table: RawSpan, count: Int, stride: Int, _ fileClass: ElfHeader.FileClass
  ) throws(MalformedInput) -> [ElfSegment] {
    var entries: [ElfSegment] = []
    entries.reserveCapacity(count)
    var cursor = ByteCursor(table)
    for index in 0..<count {
      try cursor.seek(to: UInt64(index * stride), "program header table")
      entries.append(try ElfSegment(&cursor, fileClass))
    }
    return entries
  }
}
