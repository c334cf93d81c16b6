import Base
import ObjectFile
import TestSupport
import Testing

@Suite struct ElfMiniDebugInfoTests {
  private func packed() throws -> [UInt8] {
    let bytes = try Fixture.bytes(Fixture.path("dwarf/mini"))
    let file = try ElfFile(bytes.borrowedBytes)
    let section = try required(file.section(named: ".gnu_debugdata")).section
    return try file.contents(of: section).copied()
  }

  @Test func `the file inside has the symbols the program was stripped of`() throws {
    let bytes = try Fixture.bytes(Fixture.path("dwarf/mini"))
    let program = try ElfFile(bytes.borrowedBytes)
    let hasSymbols = program.symbolTable != nil
    #expect(!hasSymbols)
    let inner = try required(try program.miniDebugInfo())
    let file = try ElfFile(inner.borrowedBytes)
    guard let table = file.symbolTable else { throw MissingTable() }
    var names: [String] = []
    for index in 0..<table.count { names.append(table.name(at: table[index].nameOffset).text()) }
    #expect(names.contains("twice") && names.contains("_start"))
  }

  @Test func `a program without the section has none`() throws {
    let bytes = try Fixture.bytes(Fixture.path("dwarf/gcc-5"))
    let inner = try ElfFile(bytes.borrowedBytes).miniDebugInfo()
    #expect(inner == nil)
  }

  @Test func `data cut at any length is refused`() throws {
    let whole = try packed()
    for length in 0..<whole.count {
      let cut = Array(whole[..<length])
      #expect(throws: MalformedInput.self) { try ElfMiniDebugInfo.decode(cut.borrowedBytes) }
    }
  }

  @Test func `data changed at any place is refused or decodes to the same size`() throws {
    let whole = try packed()
    let byteCount = try ElfMiniDebugInfo.decode(whole.borrowedBytes).count
    for place in whole.indices {
      var bytes = whole
      bytes[place] ^= 0x10
      do throws(MalformedInput) {
        let count = try ElfMiniDebugInfo.decode(bytes.borrowedBytes).count
        #expect(count == byteCount)
      } catch {
        #expect(error.field == ".gnu_debugdata")
      }
    }
  }
}
