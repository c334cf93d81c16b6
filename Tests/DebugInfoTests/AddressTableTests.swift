import Base
import DebugInfo
import ObjectFile
import Testing

/// `.debug_aranges` helps to find units; it must not be able to hide them.
struct AddressTableTests {
  @Test("a table that lists a unit and leaves out its code, or lists other code, costs nothing", arguments: [0, 0x10])
  func wrongTable(address: UInt8) throws {
    let original = try DwarfFixture.bytes("gcc-5")
    var bytes = original
    let elf = try ElfFile(original.borrowedBytes)
    let section = try #require(elf.section(named: ".debug_aranges")?.section)
    // Every set has a header of 12 bytes and 4 of padding, then pairs of address and size.
    var place = Int(section.fileOffset.rawValue)
    let end = place + Int(section.byteCount)
    var sets = 0
    while place < end {
      let count = 4 + Int(original[place]) + Int(original[place + 1]) << 8
      for index in (place + 16)..<(place + count) { bytes[index] = 0 }
      if address != 0 {
        bytes[place + 16] = address
        bytes[place + 24] = 8
      }
      place += count
      sets += 1
    }
    #expect(sets == 2)
    try expectSame(bytes)
  }

  @Test("a table in which a unit claims another's code leads to no wrong name", arguments: [false, true], [false, true])
  func foreignCode(isSwapped: Bool, isCompressed: Bool) throws {
    var bytes = try DwarfFixture.bytes("gcc-5")
    let section = try #require(try ElfFile(bytes.borrowedBytes).section(named: ".debug_aranges")?.section)
    let first = Int(section.fileOffset.rawValue)
    let second = first + 4 + Int(bytes[first]) + Int(bytes[first + 1]) << 8
    if isSwapped {
      // Each set is the other unit's.
      for index in 6..<10 { bytes.swapAt(first + index, second + index) }
    } else {
      // The first range of each starts where code starts, and reaches beyond all of it.
      for set in [first, second] {
        bytes[set + 16] = 0
        bytes[set + 17] = 0
        bytes[set + 26] = 0xff
      }
    }
    try expectSame(isCompressed ? try PackedFixture.packing(bytes) : bytes)
  }

  private func expectSame(_ bytes: [UInt8]) throws {
    let addresses = try DwarfFixture.addresses("gcc-5")
    let wanted = try DwarfFixture.file("gcc-5").frames(at: addresses)
    let found = try DebugFile(OwnedBytes(bytes), streamsFrom: 0).frames(at: addresses)
    #expect(addresses.indices.contains { wanted.frameCount(at: $0) > 1 })
    #expect(DwarfFixture.text(found, addresses) == DwarfFixture.text(wanted, addresses))
  }
}
