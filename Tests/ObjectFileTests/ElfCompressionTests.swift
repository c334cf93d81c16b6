import Base
import ObjectFile
import TestSupport
import Testing

@Suite struct ElfCompressionTests {
  private func section(_ bytes: [UInt8]) throws -> [UInt8] {
    let file = try ElfFile(bytes.borrowedBytes)
    let section = try required(file.section(named: ".debug_info")).section
    #expect(section.isCompressed)
    return try file.contents(of: section).copied()
  }

  @Test func `a compressed section inflates to what an uncompressed build holds`() throws {
    let bytes = try FixtureBinary.bytes("compressed")
    let file = try ElfFile(bytes.borrowedBytes)
    let section = try required(file.section(named: ".debug_info")).section
    let info = try file.inflatedContents(of: section)
    #expect(info.count == 0x253)
    // unit_length, then DWARF version 5, unit type compile, address size 8 (DWARF 5, section 7.5.1.1).
    #expect(Array(info[..<8]) == [0x4f, 0x02, 0, 0, 5, 0, 1, 8])
  }

  @Test func `a section cut at any length is refused`() throws {
    let whole = try section(try FixtureBinary.bytes("compressed"))
    for length in 0..<whole.count {
      let cut = Array(whole[..<length])
      #expect(throws: MalformedInput.self) { try ElfCompression.inflate(cut.borrowedBytes, .elf64) }
    }
  }

  @Test func `a size beyond what zlib can pack is refused before it is allocated`() throws {
    var bytes = try section(try FixtureBinary.bytes("compressed"))
    bytes[14] = 0x7f  // ch_size
    let error = #expect(throws: MalformedInput.self) { try ElfCompression.inflate(bytes.borrowedBytes, .elf64) }
    #expect(error?.field == "ch_size")
  }

  @Test func `a size that is not the data's own is refused`() throws {
    for change in [-1, 1] {
      var bytes = try section(try FixtureBinary.bytes("compressed"))
      bytes[8] = UInt8(Int(bytes[8]) + change)  // ch_size
      #expect(throws: MalformedInput.self) { try ElfCompression.inflate(bytes.borrowedBytes, .elf64) }
    }
  }

  @Test func `another method than zlib and zstd is named`() {
    let bytes: [UInt8] = [
      3, 0, 0, 0, 0, 0, 0, 0,  // ch_type, ch_reserved
      1, 0, 0, 0, 0, 0, 0, 0,  // ch_size
      1, 0, 0, 0, 0, 0, 0, 0,  // ch_addralign
    ]
    let error = #expect(throws: MalformedInput.self) { try ElfCompression.inflate(bytes.borrowedBytes, .elf64) }
    #expect(error?.problem == .unsupported(value: 3))
  }
}
