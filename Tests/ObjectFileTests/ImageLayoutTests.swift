import Base
import ObjectFile
import TestSupport
import Testing

@Suite struct ImageLayoutTests {
  static let layout = ImageLayout([
    .init(fileOffset: FileOffset(0), address: ImageAddress(0), fileByteCount: 0x9f0, memoryByteCount: 0x9f0),
    .init(fileOffset: FileOffset(0xdd0), address: ImageAddress(0x1dd0), fileByteCount: 0x260, memoryByteCount: 0x268),
  ])

  @Test func `offsets and addresses turn into one another within a segment`() {
    #expect(Self.layout.address(of: FileOffset(0xdd0)) == ImageAddress(0x1dd0))
    #expect(Self.layout.address(of: FileOffset(0x102f)) == ImageAddress(0x202f))
    #expect(Self.layout.fileOffset(of: ImageAddress(0x1dd0)) == FileOffset(0xdd0))
    #expect(Self.layout.fileOffset(of: ImageAddress(0x202f)) == FileOffset(0x102f))
  }

  @Test func `what a segment has no bytes for has an address and no offset`() {
    #expect(Self.layout.fileOffset(of: ImageAddress(0x2030)) == nil)
    #expect(Self.layout.contains(ImageAddress(0x2037)))
    #expect(!Self.layout.contains(ImageAddress(0x2038)))
    #expect(!Self.layout.contains(ImageAddress(0x1000)))
  }

  @Test func `the rest of a segment's last page counts as its own, as the kernel maps it`() {
    #expect(Self.layout.address(of: FileOffset(0x9f8)) == ImageAddress(0x9f8))
    #expect(Self.layout.address(of: FileOffset(0x2000)) == nil)
  }

  @Test func `the parsed segments give the same layout as an array of numbers`() throws {
    let bytes = try FixtureBinary.bytes("pie")
    #expect(try ElfFile(bytes.borrowedBytes).layout == Self.layout)
  }

  @Test func `the load bias of a mapping is the distance to its image addresses`() {
    #expect(Self.layout.loadBias(mappingStart: ProcessAddress(0x5555_0000_0000), fileOffset: FileOffset(0)) == 0x5555_0000_0000)
  }

  @Test func `segments at the end of the address space do not overflow`() {
    let layout = ImageLayout([
      .init(fileOffset: FileOffset(.max - 1), address: ImageAddress(.max - 1), fileByteCount: .max, memoryByteCount: .max),
      .init(fileOffset: FileOffset(0), address: ImageAddress(.max), fileByteCount: .max, memoryByteCount: .max),
    ])
    #expect(layout.address(of: FileOffset(.max)) == ImageAddress(.max))
    #expect(layout.address(of: FileOffset(5)) == nil)
    #expect(layout.fileOffset(of: ImageAddress(.max)) == FileOffset(.max))
  }
}
