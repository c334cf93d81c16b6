import Base
import DebugInfo
import ObjectFile
import TestSupport
import Testing

/// Units that are read while they are inflated, and given back.
@Suite struct StreamedUnitsTests {
  private func frames(_ bytes: [UInt8], _ addresses: [UInt64], workers: Int, streamsFrom: Int) throws -> DebugFrames {
    try DebugFile(OwnedBytes(bytes), workers: workers, streamsFrom: streamsFrom).frames(at: addresses, workers: workers)
  }

  @Test(arguments: ["zlib", "zstd", "zlib-gnu"], [1, 4])
  func `units read as they are inflated say what those of a whole section do`(name: String, workers: Int) throws {
    let bytes = try DwarfFixture.bytes(name)
    let addresses = try DwarfFixture.addresses(name)
    let streamed = try frames(bytes, addresses, workers: workers, streamsFrom: 0)
    let whole = try frames(bytes, addresses, workers: 1, streamsFrom: .max)
    #expect(DwarfFixture.text(streamed, addresses) == DwarfFixture.text(whole, addresses))
    #expect(addresses.indices.contains { streamed.frameCount(at: $0) > 1 })
  }

  /// Those of link-time optimization refer to one another.
  @Test(arguments: ["gcc-2", "gcc-4", "gcc-5", "gcc-64", "gcc-lto", "clang-4", "clang-5"])
  func `every kind of unit says the same compressed as plain`(name: String) throws {
    let bytes = try DwarfFixture.bytes(name)
    let addresses = try DwarfFixture.addresses(name)
    let streamed = try frames(try PackedFixture.packing(bytes), addresses, workers: 2, streamsFrom: 0)
    let plain = try frames(bytes, addresses, workers: 1, streamsFrom: .max)
    #expect(DwarfFixture.text(streamed, addresses) == DwarfFixture.text(plain, addresses))
  }

  @Test(arguments: ["split-4", "split-5"])
  func `skeletons lead to their split units`(name: String) throws {
    let bytes = try DwarfFixture.bytes(name)
    let package = OwnedBytes(try DwarfFixture.bytes(name + ".dwp"))
    let addresses = try DwarfFixture.addresses(name)
    let streamed = try DebugFile(OwnedBytes(try PackedFixture.packing(bytes)), package: package, streamsFrom: 0)
    let plain = try DebugFile(OwnedBytes(bytes), package: package)
    #expect(
      DwarfFixture.text(streamed.frames(at: addresses), addresses) == DwarfFixture.text(plain.frames(at: addresses), addresses))
  }

  @Test func `of a stream that is damaged nothing is believed`() throws {
    var bytes = try PackedFixture.packing(try DwarfFixture.bytes("gcc-5"))
    let addresses = try DwarfFixture.addresses("gcc-5")
    // Its sum.
    bytes[bytes.count - 1] ^= 1
    let frames = try frames(bytes, addresses, workers: 2, streamsFrom: 0)
    #expect(addresses.indices.allSatisfy { frames.frameCount(at: $0) == 0 })
  }

  @Test func `a stream cut at any length ends in no frames`() throws {
    let whole = try PackedFixture.packing(try DwarfFixture.bytes("clang-5"))
    let plain = try DwarfFixture.bytes("clang-5").count
    let addresses = try DwarfFixture.addresses("clang-5")
    for count in stride(from: plain + 24, to: whole.count, by: 13) {
      // The section then reaches past the end of the file, or lacks its end.
      let file = try? DebugFile(OwnedBytes(Array(whole[..<count])), streamsFrom: 0)
      let frames = file?.frames(at: addresses)
      #expect(addresses.indices.allSatisfy { (frames?.frameCount(at: $0) ?? 0) == 0 })
    }
  }
}
