import Base
import DebugInfo
import TestSupport
import Testing

/// Answers that are kept for the next call.
@Suite struct PreparedFramesTests {
  private static let key = Array("a file".utf8)

  private func prepare(_ file: DebugFile, _ addresses: [UInt64], keeping: PreparedFrames? = nil) throws -> [UInt8] {
    let batch = try #require(file.preparedFrames(at: addresses, workers: 2).batch)
    return try #require(batch.bytes(key: Self.key, keeping: keeping))
  }

  private func withoutColumns(_ frames: [DebugFrame]) -> [DebugFrame] {
    frames.map { frame in
      var frame = frame
      frame.column = nil
      return frame
    }
  }

  @Test(arguments: ["gcc-3", "gcc-4", "gcc-5", "gcc-64", "gcc-O0", "gcc-lto", "clang-4", "clang-5", "zlib", "zstd"])
  func `kept answers are the file's own, for all of the functions that were asked about`(name: String) throws {
    let file = try DwarfFixture.file(name)
    let addresses = try DwarfFixture.addresses(name)
    let direct = file.frames(at: addresses)
    let asked = addresses.indices.filter { $0 % 23 == 5 }
    let bytes = try prepare(file, asked.map { addresses[$0] })
    let kept = try #require(PreparedFrames(OwnedBytes(bytes), key: Self.key))
    var search = kept.search()
    var known = Set<Int>()
    for (index, address) in addresses.enumerated() {
      guard let frames = search.frames(at: address) else { continue }
      known.insert(index)
      #expect(frames == withoutColumns(direct.frames(at: index)))
    }
    #expect(asked.allSatisfy(known.contains))
    #expect(known.count > 2 * asked.count)
    // The frames of the call that prepares are those of one that does not.
    let preparing = file.preparedFrames(at: asked.map { addresses[$0] }).frames
    for (place, index) in asked.enumerated() { #expect(preparing.frames(at: place) == direct.frames(at: index)) }
  }

  @Test func `what was kept before is kept on`() throws {
    let file = try DwarfFixture.file("gcc-5")
    let addresses = try DwarfFixture.addresses("gcc-5")
    let direct = file.frames(at: addresses)
    let first = try prepare(file, Array(addresses[..<40]))
    let kept = try #require(PreparedFrames(OwnedBytes(first), key: Self.key))
    let second = try prepare(file, Array(addresses[(addresses.count / 2)...]), keeping: kept)
    let both = try #require(PreparedFrames(OwnedBytes(second), key: Self.key))
    var search = both.search()
    for index in Array(0..<40) + Array((addresses.count / 2)..<addresses.count) {
      let found = search.frames(at: addresses[index])
      #expect(found == withoutColumns(direct.frames(at: index)))
    }
  }

  @Test func `the same addresses prepare the same bytes, however many threads there are`() throws {
    let file = try DwarfFixture.file("gcc-5")
    let addresses = try DwarfFixture.addresses("gcc-5")
    let one = file.preparedFrames(at: addresses, workers: 1).batch?.bytes(key: Self.key)
    let four = file.preparedFrames(at: addresses, workers: 4).batch?.bytes(key: Self.key)
    #expect(one != nil)
    #expect(one == four)
  }

  @Test func `bytes that are cut, changed or of another key are not believed`() throws {
    let bytes = try prepare(try DwarfFixture.file("gcc-5"), try DwarfFixture.addresses("gcc-5"))
    #expect(PreparedFrames(OwnedBytes(bytes), key: Self.key) != nil)
    #expect(PreparedFrames(OwnedBytes(bytes), key: Array("b file".utf8)) == nil)
    #expect(PreparedFrames(OwnedBytes(bytes), key: []) == nil)
    for count in Array(0..<64) + Array(stride(from: 64, to: bytes.count, by: 97)) {
      #expect(PreparedFrames(OwnedBytes(Array(bytes[..<count])), key: Self.key) == nil)
    }
    for place in stride(from: 0, to: bytes.count, by: 31) {
      var changed = bytes
      changed[place] ^= 0x10
      #expect(PreparedFrames(OwnedBytes(changed), key: Self.key) == nil)
    }
  }

  @Test func `whatever numbers the bytes hold, every look-up ends`() throws {
    let addresses = try DwarfFixture.addresses("gcc-5")
    let bytes = try prepare(try DwarfFixture.file("gcc-5"), addresses)
    var generator = SeededGenerator(seed: 7)
    var looked = 0
    for _ in 0..<300 {
      var changed = bytes
      for _ in 0..<Int.random(in: 1...20, using: &generator) {
        // Behind the header and the key: its counts have to fit the size.
        let place = Int.random(in: 56..<(changed.count - 4), using: &generator)
        changed[place] = Bool.random(using: &generator) ? 0xff : UInt8.random(in: 0...255, using: &generator)
      }
      let sum = CRC32.of(Array(changed[..<(changed.count - 4)]).borrowedBytes)
      for index in 0..<4 { changed[changed.count - 4 + index] = UInt8(truncatingIfNeeded: sum >> UInt32(8 * index)) }
      let kept = try #require(PreparedFrames(OwnedBytes(changed), key: Self.key))
      var search = kept.search()
      for address in addresses where search.frames(at: address) != nil { looked += 1 }
    }
    #expect(looked > 0)
  }
}
