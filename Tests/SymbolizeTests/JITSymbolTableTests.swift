import Base
import ObjectFile
import Symbolize
import Testing

@Suite struct JITSymbolTableTests {
  @Test func `of code made in one place, the latest counts`() {
    let table = JITSymbolTable([
      JITSymbol(address: 0x100, byteCount: 0x100, name: "old"), JITSymbol(address: 0x300, byteCount: 0x10, name: "far"),
      JITSymbol(address: 0x140, byteCount: 0x20, name: "new"),
    ])
    #expect(
      table.names(at: [0xff, 0x100, 0x13f, 0x140, 0x15f, 0x160, 0x1ff, 0x200, 0x300, 0x310])
        == [nil, "old", "old", "new", "new", "old", "old", nil, "far", nil])
  }

  @Test func `it answers as looking at every function does`() {
    var random = SeededGenerator(seed: 11)
    for _ in 0..<50 {
      let symbols = (0..<40).map { number in
        JITSymbol(
          address: UInt64.random(in: 0..<200, using: &random), byteCount: UInt64.random(in: 1..<60, using: &random),
          name: "\(number)")
      }
      let addresses = Array(UInt64(0)..<280)
      let expected = addresses.map { address in
        symbols.last { $0.address <= address && address - $0.address < $0.byteCount }?.name
      }
      #expect(JITSymbolTable(symbols).names(at: addresses) == expected)
    }
  }
}
