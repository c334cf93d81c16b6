import Base
import ObjectFile
import Testing

@Suite struct ElfHeaderTests {
  static let header64: [UInt8] = [
    0x7f, 0x45, 0x4c, 0x46,  // magic
    0x02, 0x01, 0x01, 0x00,  // 64-bit, little-endian, version 1, System V
    0, 0, 0, 0, 0, 0, 0, 0,  // padding
    0x03, 0x00, 0x3e, 0x00,  // e_type ET_DYN, e_machine x86-64
    0x01, 0x00, 0x00, 0x00,  // e_version
    0x10, 0x32, 0x54, 0x76, 0, 0, 0, 0,  // e_entry
    0x40, 0, 0, 0, 0, 0, 0, 0,  // e_phoff
    0x00, 0x20, 0, 0, 0, 0, 0, 0,  // e_shoff
    0, 0, 0, 0, 0x40, 0x00,  // e_flags, e_ehsize
    0x38, 0x00, 0x02, 0x00,  // e_phentsize, e_phnum
    0x40, 0x00, 0x05, 0x00, 0x04, 0x00,  // e_shentsize, e_shnum, e_shstrndx
  ]
  static let header32: [UInt8] = [
    0x7f, 0x45, 0x4c, 0x46,  // magic
    0x01, 0x01, 0x01, 0x00,  // 32-bit, little-endian, version 1, System V
    0, 0, 0, 0, 0, 0, 0, 0,  // padding
    0x02, 0x00, 0x03, 0x00,  // e_type ET_EXEC, e_machine i386
    0x01, 0x00, 0x00, 0x00,  // e_version
    0x10, 0x32, 0x54, 0x76,  // e_entry
    0x34, 0, 0, 0,  // e_phoff
    0x00, 0x20, 0, 0,  // e_shoff
    0, 0, 0, 0, 0x34, 0x00,  // e_flags, e_ehsize
    0x20, 0x00, 0x02, 0x00,  // e_phentsize, e_phnum
    0x28, 0x00, 0x05, 0x00, 0x04, 0x00,  // e_shentsize, e_shnum, e_shstrndx
  ]

  @Test(arguments: [header64, header32])
  func `every field is read in both classes`(bytes: [UInt8]) throws {
    var cursor = ByteCursor(bytes.borrowedBytes)
    let header = try ElfHeader(&cursor)
    let is64 = bytes[4] == 2
    #expect(header.fileClass == (is64 ? .elf64 : .elf32))
    #expect(header.type == (is64 ? 3 : 2))
    #expect(header.machine == (is64 ? .x86_64 : .i386))
    #expect(header.entry == ImageAddress(0x7654_3210))
    #expect(header.programHeaderOffset == FileOffset(is64 ? 0x40 : 0x34))
    #expect(header.sectionHeaderOffset == FileOffset(0x2000))
    #expect(header.programHeaderByteCount == (is64 ? 0x38 : 0x20))
    #expect(header.programHeaderCount == 2)
    #expect(header.sectionHeaderByteCount == (is64 ? 0x40 : 0x28))
    #expect(header.sectionHeaderCount == 5)
    #expect(header.sectionNameTableIndex == 4)
    #expect(cursor.remaining == 0)
  }

  @Test(arguments: [header64, header32])
  func `a header cut at any length says which field is missing`(bytes: [UInt8]) {
    for length in 0..<bytes.count {
      let cut = Array(bytes[..<length])
      let error = #expect(throws: MalformedInput.self) {
        var cursor = ByteCursor(cut.borrowedBytes)
        _ = try ElfHeader(&cursor)
      }
      guard case .truncated = error?.problem else {
        Issue.record("\(length): \(String(describing: error))")
        continue
      }
      #expect(error?.field.isEmpty == false)
    }
  }

  @Test func `a big-endian file is refused with that reason`() {
    var bytes = Self.header64
    bytes[5] = 2
    let error = #expect(throws: MalformedInput.self) {
      var cursor = ByteCursor(bytes.borrowedBytes)
      _ = try ElfHeader(&cursor)
    }
    #expect(error?.description.contains("big-endian") == true)
    #expect(ElfIdentification(prefix: bytes.borrowedBytes) == .unsupported)
  }

  @Test func `the first bytes say what a file is`() {
    #expect(ElfIdentification(prefix: Self.header64.borrowedBytes) == .elf64)
    #expect(ElfIdentification(prefix: Self.header32.borrowedBytes) == .elf32)
    #expect(ElfIdentification(prefix: Array("#!/bin/sh".utf8).borrowedBytes) == .notELF)
    #expect(ElfIdentification(prefix: [0x7f, 0x45, 0x4c].borrowedBytes) == .notELF)
  }
}
