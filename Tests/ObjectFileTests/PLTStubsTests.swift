import Base
import ObjectFile
import TestSupport
import Testing

@Suite struct PLTStubsTests {
  private func stubs(_ name: String) throws -> [String] {
    let bytes = try FixtureBinary.bytes(name)
    let file = try ElfFile(bytes.borrowedBytes)
    guard let table = file.dynamicSymbolTable else { throw MissingTable() }
    return PLTStubs.stubs(of: file).map { stub in
      switch stub.target {
      case .dynamicSymbol(let index): "\(stub.address)+\(stub.byteCount) \(table.name(at: table[Int(index)].nameOffset).text())"
      case .resolver(let address): "\(stub.address)+\(stub.byteCount) resolver \(address)"
      }
    }
  }

  // What objdump -d shows of the same files.
  @Test func `stubs of position-independent x86-64 code with branch tracking are named through their slots`() throws {
    let found = try stubs("pie")
    for expected in [
      "0x6d0+16 __cxa_finalize", "0x6e0+16 free", "0x6f0+16 strlen", "0x700+16 printf", "0x710+16 strdup",
    ] {
      #expect(found.contains(expected), "\(expected) is not in \(found)")
    }
  }

  @Test func `lazy stubs at fixed addresses are named, the first of the table is not`() throws {
    #expect(
      try stubs("linked") == ["0x400530+16 free", "0x400540+16 strlen", "0x400550+16 printf", "0x400560+16 strdup"])
  }

  @Test func `stubs of indirect functions in a library have the function's name`() throws {
    #expect(try stubs("libversioned.so") == ["0x3c0+16 chosen", "0x3d0+16 imported"])
  }

  @Test func `stubs that lld wrote are named, on x86-64 and on aarch64`() throws {
    #expect(try stubs("libarm.so") == ["0x10430+16 imported"])
    #expect(try stubs("liblld.so").map { $0.split(separator: " ").last } == ["imported"])
  }
}
