import Base
import DebugInfo
import ObjectFile
import TestSupport
import Testing

/// Damaged files: whatever stands in them, an answer comes soon and nothing traps.
@Suite struct DamagedDwarfTests {
  static let names = ["gcc-2", "gcc-4", "gcc-5", "gcc-64", "gcc-lto", "clang-4", "clang-5", "zlib", "zstd", "zlib-gnu", "dwz"]

  private func ask(_ bytes: [UInt8], _ addresses: [UInt64], package: [UInt8]? = nil, alternate: DebugFile? = nil) {
    do throws(MalformedInput) {
      let file = try DebugFile(OwnedBytes(bytes), alternate: alternate, package: package.map { OwnedBytes($0) })
      let frames = file.frames(at: addresses)
      #expect(frames.count == addresses.count)
      for index in addresses.indices { #expect(frames.frames(at: index).count == frames.frameCount(at: index)) }
    } catch {
      #expect(!error.description.isEmpty)
    }
  }

  /// Where the sections of debug information lie in the file.
  private func sections(_ bytes: [UInt8]) throws -> [Range<Int>] {
    let file = try ElfFile(bytes.borrowedBytes)
    var ranges: [Range<Int>] = []
    for (index, section) in file.sections.enumerated() {
      let name = file.sectionName(index).text()
      guard name.hasPrefix(".debug") || name.hasPrefix(".zdebug"), section.byteCount > 0 else { continue }
      let start = Int(section.fileOffset.rawValue)
      ranges.append(start..<(start + Int(section.byteCount)))
    }
    return ranges
  }

  @Test(arguments: names)
  func `a byte of any debug section changed at any of 100 places each is read without a trap`(name: String) throws {
    let whole = try DwarfFixture.bytes(name)
    let addresses = stride(from: UInt64(0x200_0000), to: 0x200_0180, by: 7).map { $0 }
    var random = Seeded(state: 7)
    for range in try sections(whole) {
      for _ in 0..<100 {
        var bytes = whole
        let place = range.lowerBound + Int(random.next() % UInt64(range.count))
        switch random.next() % 4 {
        case 0: bytes[place] = 0xff
        case 1: bytes[place] = 0
        case 2: bytes[place] = UInt8(truncatingIfNeeded: random.next())
        default: bytes[place] ^= 1 << UInt8(random.next() % 8)
        }
        ask(bytes, addresses)
      }
    }
  }

  @Test(arguments: names)
  func `a debug section cut short at any of 40 places is read without a trap`(name: String) throws {
    let whole = try DwarfFixture.bytes(name)
    let addresses = stride(from: UInt64(0x200_0000), to: 0x200_0180, by: 7).map { $0 }
    let file = try ElfFile(whole.borrowedBytes)
    let headers = Int(file.header.sectionHeaderOffset.rawValue)
    for (index, section) in file.sections.enumerated() where file.sectionName(index).text().contains("debug") {
      for step in 0..<40 {
        var bytes = whole
        let size = section.byteCount * UInt64(step) / 40
        // sh_size.
        for byte in 0..<8 { bytes[headers + index * 64 + 32 + byte] = UInt8(truncatingIfNeeded: size >> UInt64(byte * 8)) }
        ask(bytes, addresses)
      }
    }
  }

  @Test(arguments: ["split-4", "split-5"])
  func `a damaged package is read without a trap`(name: String) throws {
    let program = try DwarfFixture.bytes(name)
    let whole = try DwarfFixture.bytes(name + ".dwp")
    let addresses = stride(from: UInt64(0x200_0000), to: 0x200_0180, by: 7).map { $0 }
    var random = Seeded(state: 3)
    for _ in 0..<1_000 {
      var package = whole
      for _ in 0..<(1 + random.next() % 3) {
        package[Int(random.next() % UInt64(package.count))] = UInt8(truncatingIfNeeded: random.next())
      }
      ask(program, addresses, package: package)
    }
    for step in 0..<100 { ask(program, addresses, package: Array(whole[..<(whole.count * step / 100)])) }
  }

  @Test func `a damaged alternate file is read without a trap`() throws {
    let program = try DwarfFixture.bytes("dwz")
    let whole = try DwarfFixture.bytes("dwz.common")
    let addresses = stride(from: UInt64(0x200_0000), to: 0x200_0180, by: 7).map { $0 }
    for place in whole.indices {
      var bytes = whole
      bytes[place] = 0xff
      guard let alternate = try? DebugFile(OwnedBytes(bytes)) else { continue }
      ask(program, addresses, alternate: alternate)
    }
  }

  /// Repeatable random numbers (xorshift64*).
  private struct Seeded {
    var state: UInt64
    mutating func next() -> UInt64 {
      state ^= state >> 12
      state ^= state << 25
      state ^= state >> 27
      return state &* 0x2545_f491_4f6c_dd1d
    }
  }
}
