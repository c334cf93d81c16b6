import Base
import DebugInfo
import ObjectFile
import TestSupport
import Testing

/// Files that no linker has seen, as kernel modules are.
struct RelocatableTests {
  /// Functions by name, at their place in the file, as an image with sections one after another.
  private static func functions(_ bytes: [UInt8]) throws -> [String: (address: UInt64, byteCount: UInt64)] {
    let elf = try ElfFile(bytes.borrowedBytes)
    let bases = ElfRelocatable(elf)?.bases
    guard let table = elf.symbolTable else { return [:] }
    var found: [String: (address: UInt64, byteCount: UInt64)] = [:]
    for index in 0..<table.count where table[index].kind == .function && table[index].byteCount > 0 {
      let symbol = table[index]
      found[table.name(at: symbol.nameOffset).text()] = (symbol.value &+ (bases?[Int(symbol.section)] ?? 0), symbol.byteCount)
    }
    return found
  }

  @Test("an unlinked file's functions have the lines and inlined calls they have once they are linked")
  func sameAsLinked() throws {
    let linked = try Self.functions(try DwarfFixture.bytes("gcc-5"))
    let unlinked = try Self.functions(try DwarfFixture.bytes("module"))
    #expect(linked.count >= 8)
    #expect(linked.keys.sorted() == unlinked.keys.sorted())
    let linkedFile = try DwarfFixture.file("gcc-5")
    let unlinkedFile = try DwarfFixture.file("module")
    var known = 0
    for (name, place) in linked {
      let other = try #require(unlinked[name])
      #expect(other.byteCount == place.byteCount)
      let wanted = linkedFile.frames(at: (0..<place.byteCount).map { place.address + $0 })
      let found = unlinkedFile.frames(at: (0..<place.byteCount).map { other.address + $0 })
      for offset in 0..<Int(place.byteCount) {
        #expect(found.frames(at: offset) == wanted.frames(at: offset), "\(name)+\(offset)")
        known += found.frames(at: offset).isEmpty ? 0 : 1
      }
    }
    #expect(known > 200)
  }

  @Test("relocations of AArch64 are known, too")
  func aarch64() throws {
    let place = try #require(try Self.functions(try DwarfFixture.bytes("module-arm"))["twice"])
    let frames = try DwarfFixture.file("module-arm").frames(at: [place.address, place.address + 12])
    let text = (0..<2).map { index in
      frames.frames(at: index).map { "\($0.function ?? "?") \($0.file ?? "?"):\($0.line ?? 0)" }.joined(separator: ", ")
    }
    #expect(
      text == [
        "more /fixture/src/twice.c:3, twice /fixture/src/twice.c:6", "more /fixture/src/twice.c:3, twice /fixture/src/twice.c:7",
      ])
  }

  @Test("an unlinked file of another machine is refused, and says why", arguments: [3, 40, 243])
  func otherMachine(machine: UInt8) throws {
    var bytes = try DwarfFixture.bytes("module")
    bytes[18] = machine
    bytes[19] = 0
    let error = #expect(throws: MalformedInput.self) { _ = try DebugFile(OwnedBytes(bytes)) }
    #expect(error?.field == "e_machine")
    #expect(error?.description.contains("is \(machine), and of files that are not linked only") == true)
  }

  @Test("an unlinked file of 32 bits is refused, and says why")
  func narrow() throws {
    var bytes = [UInt8](repeating: 0, count: 52)
    bytes.replaceSubrange(0..<7, with: [0x7f, 0x45, 0x4c, 0x46, 1, 1, 1])
    bytes[16] = 1  // e_type: ET_REL
    bytes[18] = 62
    let error = #expect(throws: MalformedInput.self) { _ = try DebugFile(OwnedBytes(bytes)) }
    #expect(error?.field == "e_ident[EI_CLASS]")
    // Linked, it is read.
    bytes[16] = 2
    let file = try DebugFile(OwnedBytes(bytes))
    #expect(!file.hasUnits)
  }

  @Test("an unlinked file that is cut anywhere, or full of wrong relocations, does no harm")
  func damaged() throws {
    let bytes = try DwarfFixture.bytes("module")
    for count in stride(from: 0, to: bytes.count, by: 7) {
      let file = try? DebugFile(OwnedBytes(Array(bytes[..<count])))
      let frameLists = file?.frames(at: [0x1_0000, 0x1_0080]).count
      #expect(frameLists == nil || frameLists == 2)
    }
    let elf = try ElfFile(bytes.borrowedBytes)
    let tables = elf.sections.filter { $0.kind == .relocationsWithAddends }
    for value: UInt8 in [0, 1, 0x7f, 0xff] {
      var changed = bytes
      for table in tables {
        for place in 0..<Int(table.byteCount) where place % 5 == Int(value & 3) {
          changed[Int(table.fileOffset.rawValue) + place] = value
        }
      }
      let file = try? DebugFile(OwnedBytes(changed))
      let frameLists = file?.frames(at: [0, 0x1_0000, .max]).count
      #expect(frameLists == nil || frameLists == 3)
    }
  }
}
