import Base
import ObjectFile
import TestSupport
import Testing

@Suite struct ElfFileTests {
  @Test func `sections are found by name, with their place and size`() throws {
    let bytes = try FixtureBinary.bytes("edges")
    let file = try ElfFile(bytes.borrowedBytes)
    #expect(file.sections.count == 6)
    #expect(file.sectionProblem == nil)
    let text = try required(file.section(named: ".text"))
    #expect(text.section.address == ImageAddress(0x200_0000))
    #expect(text.section.byteCount == 0xa0)
    #expect(text.section.isExecutable)
    #expect(file.sectionName(text.index).text() == ".text")
    #expect(file.section(named: ".tex") == nil)
    #expect(file.section(named: ".textile") == nil)
    let contents = try file.contents(of: text.section)
    #expect(contents.byteCount == 0xa0)
    #expect(contents.byte(at: 0) == 0x90)
    #expect(contents.byte(at: 0x40) == 0xcc)
  }

  @Test(arguments: [
    ("edges", "d8a012ca3aa6486e0d69938d761bc259c3d34c4f"), ("pie", "4983e83b4c2604a7f4eb5add3d487bb03496ac29"),
    ("libversioned.so", "2159571dc66f4ea3de7acc94551c38717c5fe202"), ("libarm.so", "f79e1746f1c5e2d0997c900da7e041ec6d41c398"),
  ])
  func `the build ID is read with and without section headers`(name: String, hex: String) throws {
    let whole = try FixtureBinary.bytes(name)
    #expect(try ElfFile(whole.borrowedBytes).buildID?.hex == hex)
    let cut = try FixtureBinary.withoutSectionHeaders(name)
    #expect(try ElfFile(cut.borrowedBytes).buildID?.hex == hex)
  }

  @Test func `a file without a build ID has none`() throws {
    let bytes = try FixtureBinary.bytes("linked")
    #expect(try ElfFile(bytes.borrowedBytes).buildID == nil)
  }

  @Test func `counts that do not fit 16 bits come from section header 0`() throws {
    var bytes = try FixtureBinary.bytes("edges")
    let sectionHeaders = try ElfFile(bytes.borrowedBytes).header.sectionHeaderOffset.rawValue
    let zero = Int(sectionHeaders)
    bytes[zero + 32] = bytes[60]  // sh_size ← e_shnum
    bytes[zero + 40] = bytes[62]  // sh_link ← e_shstrndx
    bytes[zero + 44] = bytes[56]  // sh_info ← e_phnum
    bytes[60] = 0  // e_shnum
    bytes[62] = 0xff  // e_shstrndx: SHN_XINDEX
    bytes[63] = 0xff
    bytes[56] = 0xff  // e_phnum: PN_XNUM
    bytes[57] = 0xff
    let file = try ElfFile(bytes.borrowedBytes)
    #expect(file.sections.count == 6)
    #expect(file.segments.count == 3)
    #expect(file.section(named: ".text") != nil)
  }

  @Test func `a damaged section header table leaves the segments readable and says what is wrong`() throws {
    var bytes = try FixtureBinary.bytes("pie")
    bytes[44] = 0x7f  // e_shoff far past the end
    let file = try ElfFile(bytes.borrowedBytes)
    #expect(file.sections.isEmpty)
    #expect(file.sectionProblem?.field == "e_shoff")
    #expect(file.segments.count == 11)
    #expect(file.layout.segments.count == 2)
  }

  @Test func `a count above the limit is refused before anything is allocated`() throws {
    var bytes = try FixtureBinary.bytes("edges")
    let zero = Int(try ElfFile(bytes.borrowedBytes).header.sectionHeaderOffset.rawValue)
    bytes[60] = 0  // e_shnum: see section header 0
    for index in 32..<40 { bytes[zero + index] = 0xff }  // sh_size
    let file = try ElfFile(bytes.borrowedBytes)
    #expect(file.sectionProblem?.field == "e_shnum")
  }
}
