import Base
import ObjectFile
import TestSupport
import Testing

@Suite struct ElfDebugLinksTests {
  @Test func `a stripped file names its debug file and that file's CRC`() throws {
    let bytes = try FixtureBinary.bytes("linked")
    let file = try ElfFile(bytes.borrowedBytes)
    let link = try required(try file.debugLink())
    #expect(link.fileName == "linked.debug")
    let debugFile = try FixtureBinary.bytes("linked.debug")
    #expect(link.crc == CRC32.of(debugFile.borrowedBytes))
  }

  @Test func `a file with its own symbols links to none`() throws {
    let bytes = try FixtureBinary.bytes("pie")
    let file = try ElfFile(bytes.borrowedBytes)
    let link = try file.debugLink()
    let alternate = try file.debugAltLink()
    #expect(link == nil)
    #expect(alternate == nil)
  }
}
