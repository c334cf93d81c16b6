import Base
import DebugInfo
import ObjectFile
import TestSupport
import Testing

/// Whole programs: the same two units in every kind of DWARF.
///
/// The goldens were held against llvm-symbolizer with `scripts/compare-dwarf`.
@Suite struct DebugFileTests {
  static let rewrites = Command.environmentValue("PYROREC_RECORD_GOLDENS") == "1"

  private func compare(_ name: String, _ text: String) throws {
    let path = Fixture.path("dwarf/" + name + ".frames")
    if Self.rewrites { try write(Array(text.utf8), to: path) }
    let golden = String(decoding: try Fixture.bytes(path), as: UTF8.self)
    #expect(text == golden)
  }

  @Test(arguments: [
    "gcc-2", "gcc-3", "gcc-4", "gcc-5", "gcc-64", "gcc-O0", "gcc-lto", "clang-4", "clang-5", "split-files",
  ])
  func `every address of a program has the functions, inlined functions and lines of its golden`(name: String) throws {
    let addresses = try DwarfFixture.addresses(name)
    let file = try DwarfFixture.file(name)
    try compare(name, DwarfFixture.text(file.frames(at: addresses), addresses))
  }

  @Test(arguments: ["split-4", "split-5"])
  func `split units are found in a package`(name: String) throws {
    let addresses = try DwarfFixture.addresses(name)
    let file = try DwarfFixture.file(name, package: name + ".dwp")
    try compare(name, DwarfFixture.text(file.frames(at: addresses), addresses))
  }

  @Test(arguments: [("zlib", "gcc-5"), ("zstd", "gcc-5"), ("zlib-gnu", "gcc-4"), ("gcc-64", "gcc-5")])
  func `compressed and 64-bit sections say what plain ones do`(pair: (name: String, plain: String)) throws {
    let addresses = try DwarfFixture.addresses(pair.plain)
    let frames = try DwarfFixture.file(pair.name).frames(at: addresses)
    let plain = try DwarfFixture.file(pair.plain).frames(at: addresses)
    #expect(DwarfFixture.text(frames, addresses) == DwarfFixture.text(plain, addresses))
  }

  @Test func `names that dwz moved to a file of their own are found there`() throws {
    let addresses = try DwarfFixture.addresses("gcc-5")
    let frames = try DwarfFixture.file("dwz", alternate: "dwz.common").frames(at: addresses)
    let plain = try DwarfFixture.file("gcc-5").frames(at: addresses)
    #expect(DwarfFixture.text(frames, addresses) == DwarfFixture.text(plain, addresses))
  }

  @Test func `without the file that dwz made, lines and chains are the same and only names are missing`() throws {
    let addresses = try DwarfFixture.addresses("gcc-5")
    let frames = try DwarfFixture.file("dwz").frames(at: addresses)
    let plain = try DwarfFixture.file("gcc-5").frames(at: addresses)
    var missing = 0
    for index in addresses.indices {
      let pairs = zip(frames.frames(at: index), plain.frames(at: index))
      #expect(frames.frameCount(at: index) == plain.frameCount(at: index))
      for (a, b) in pairs {
        #expect(a.line == b.line && a.file == b.file && a.isInlined == b.isInlined)
        if a.function != b.function { missing += 1 }
      }
    }
    #expect(missing > 0)
  }

  @Test(arguments: ["split-4", "split-5"])
  func `a split program without its package still has its lines`(name: String) throws {
    let addresses = try DwarfFixture.addresses(name)
    let without = try DwarfFixture.file(name).frames(at: addresses)
    let with = try DwarfFixture.file(name, package: name + ".dwp").frames(at: addresses)
    for index in addresses.indices {
      #expect(without.frames(at: index).first?.line == with.frames(at: index).first?.line)
    }
  }

  @Test func `a package of another program is not used`() throws {
    let addresses = try DwarfFixture.addresses("split-5")
    let foreign = try DwarfFixture.file("split-5", package: "split-4.dwp").frames(at: addresses)
    let none = try DwarfFixture.file("split-5").frames(at: addresses)
    #expect(DwarfFixture.text(foreign, addresses) == DwarfFixture.text(none, addresses))
  }

  @Test(arguments: ["gcc-5", "clang-5", "zlib", "gcc-lto"])
  func `what comes out does not depend on the number of workers`(name: String) throws {
    let addresses = try DwarfFixture.addresses(name)
    let one = try DebugFile(OwnedBytes(try DwarfFixture.bytes(name)), workers: 1).frames(at: addresses, workers: 1)
    let many = try DebugFile(OwnedBytes(try DwarfFixture.bytes(name)), workers: 4).frames(at: addresses, workers: 4)
    #expect(DwarfFixture.text(one, addresses) == DwarfFixture.text(many, addresses))
  }

  @Test func `an address outside of every unit has no frames, and neither has an empty request`() throws {
    let file = try DwarfFixture.file("gcc-5")
    let frames = file.frames(at: [0, 1, 0x1ff_ffff, 0x300_0000, .max])
    #expect((0..<5).allSatisfy { frames.frames(at: $0).isEmpty })
    #expect(file.frames(at: []).count == 0)
  }

  @Test func `asking for one address gives what asking for all gives`() throws {
    let addresses = try DwarfFixture.addresses("gcc-5")
    let file = try DwarfFixture.file("gcc-5")
    let all = file.frames(at: addresses)
    for (index, address) in addresses.enumerated() {
      #expect(file.frames(at: [address]).frames(at: 0) == all.frames(at: index))
    }
  }

  @Test func `a program without debug information has no units`() throws {
    let file = try DwarfFixture.file("mini")
    #expect(!file.hasUnits)
    #expect(file.frames(at: [0x200_0000]).frames(at: 0).isEmpty)
  }

  @Test func `the file of dwz, which is a relocatable one without relocations, has units`() throws {
    var bytes = try DwarfFixture.bytes("gcc-5")
    bytes[16] = 1  // e_type ET_REL
    #expect(try DebugFile(OwnedBytes(bytes)).hasUnits)
  }
}
