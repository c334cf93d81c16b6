import Base
import ObjectFile
import TestSupport
import Testing

@Suite struct ElfSymbolsTests {
  private func names(_ table: ElfSymbolTable) -> [String] {
    (0..<table.count).map { table.name(at: table[$0].nameOffset).text() }
  }

  private func dynamicNames(_ file: borrowing ElfFile) throws -> [String] {
    guard let table = file.dynamicSymbolTable else { throw MissingTable() }
    return names(table)
  }

  @Test func `symbols have their kind, binding, place and size`() throws {
    let bytes = try FixtureBinary.bytes("edges")
    let file = try ElfFile(bytes.borrowedBytes)
    guard let table = file.symbolTable else { throw MissingTable() }
    let names = names(table)
    let index = try #require(names.firstIndex(of: "inner"))
    let symbol = table[index]
    #expect(symbol.kind == .function)
    #expect(symbol.binding == .global)
    #expect(symbol.value == 0x200_0010)
    #expect(symbol.byteCount == 16)
    #expect(Int(table.sectionIndex(of: symbol, at: index)) == file.section(named: ".text")?.index)
    let weak = table[try #require(names.firstIndex(of: "weak_with_a_long_name"))]
    #expect(weak.binding == .weak)
    let label = table[try #require(names.firstIndex(of: "label_within"))]
    #expect(label.kind == .none)
    #expect(label.binding == .local)
  }

  @Test func `an indirect function is told from a function`() throws {
    let bytes = try FixtureBinary.bytes("libversioned.so")
    let file = try ElfFile(bytes.borrowedBytes)
    guard let table = file.dynamicSymbolTable else { throw MissingTable() }
    let index = try #require(names(table).firstIndex(of: "chosen"))
    #expect(table[index].kind == .indirectFunction)
  }

  @Test(arguments: ["pie", "libversioned.so", "libarm.so", "liblld.so", "linked"])
  func `without section headers the dynamic section leads to the same dynamic symbols`(name: String) throws {
    let whole = try FixtureBinary.bytes(name)
    let cut = try FixtureBinary.withoutSectionHeaders(name)
    let file = try ElfFile(whole.borrowedBytes)
    let stripped = try ElfFile(cut.borrowedBytes)
    #expect(stripped.sections.isEmpty)
    let expected = try dynamicNames(file)
    let found = try dynamicNames(stripped)
    // A GNU hash table counts only up to the last symbol it can find, and imports without any export need none.
    #expect(found == Array(expected.prefix(found.count)))
    guard let table = file.dynamicSymbolTable else { throw MissingTable() }
    for index in found.count..<max(found.count, expected.count) {
      #expect(table[index].section == 0, "\(expected[index]) is defined and was not found")
    }
  }

  @Test func `a 32-bit file reads alike`() throws {
    let bytes = try FixtureBinary.bytes("lib32.so")
    let file = try ElfFile(bytes.borrowedBytes)
    guard let table = file.symbolTable else { throw MissingTable() }
    #expect(file.header.fileClass == .elf32)
    let index = try #require(names(table).firstIndex(of: "exported"))
    #expect(table[index].value == 0x1290)
    #expect(table[index].byteCount == 0x2b)
    #expect(table[index].kind == .function)
    #expect(file.layout.address(of: FileOffset(0x290)) == ImageAddress(0x1290))
    #expect(file.buildID?.hex == "e5744a11acce1e3059958ed7d4a01e5ad36d9243")
    let dynamic = try dynamicNames(file)
    #expect(dynamic == ["", "imported", "exported"])
  }

  @Test func `a stripped file has no symbol table`() throws {
    let bytes = try FixtureBinary.bytes("linked")
    let file = try ElfFile(bytes.borrowedBytes)
    let (has, hasDynamic) = (file.symbolTable != nil, file.dynamicSymbolTable != nil)
    #expect(!has)
    #expect(hasDynamic)
  }
}
