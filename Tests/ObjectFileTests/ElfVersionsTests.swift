import Base
import ObjectFile
import TestSupport
import Testing

@Suite struct ElfVersionsTests {
  @Test func `defined symbols have the version that a new program links against`() throws {
    let bytes = try FixtureBinary.bytes("libversioned.so")
    let file = try ElfFile(bytes.borrowedBytes)
    let versions = try required(try ElfVersions(file))
    guard let table = file.dynamicSymbolTable else { throw MissingTable() }
    var found: [String: String] = [:]
    for index in 0..<table.count {
      if let version = versions.version(ofSymbol: index) {
        #expect(!version.isHidden)
        found[table.name(at: table[index].nameOffset).text()] = version.name
      }
    }
    #expect(found["scale"] == "FIXTURE_2")
    #expect(found["caller"] == "FIXTURE_1")
    #expect(found["imported"] == nil)
    #expect(versions.version(ofSymbol: 1_000_000) == nil)
  }

  @Test func `imported symbols have the version they need`() throws {
    let bytes = try FixtureBinary.bytes("pie")
    let file = try ElfFile(bytes.borrowedBytes)
    let versions = try required(try ElfVersions(file))
    guard let table = file.dynamicSymbolTable else { throw MissingTable() }
    let index = try #require((0..<table.count).first { table.name(at: table[$0].nameOffset).text() == "strlen" })
    #expect(versions.version(ofSymbol: index)?.name == "GLIBC_2.2.5")
  }

  @Test(arguments: [
    ("memcpy@@GLIBC_2.14", "memcpy"), ("memcpy@GLIBC_2.2.5", "memcpy"), ("memcpy", "memcpy"), ("@odd", "@odd"),
    ("?method@Class@@QEAAXXZ", "?method@Class@@QEAAXXZ"), ("", ""),
  ])
  func `a symbol's plain name ends before its version`(name: String, plain: String) {
    let bytes = Array(name.utf8)
    let count = ElfVersions.plainNameByteCount(bytes.borrowedBytes)
    #expect(String(decoding: bytes[..<count], as: UTF8.self) == plain)
  }
}
