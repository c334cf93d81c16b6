import Base
import Symbolize
import TestSupport
import Testing

@Suite struct SymbolTableTests {
  private func name(_ table: SymbolTable, _ address: UInt64) -> String? {
    table.function(at: ImageAddress(address)).map { table.name(of: $0) }
  }

  @Test func `awkward symbols are told apart byte by byte`() throws {
    let table = try SymbolTable(image: FixtureBinary.image("edges"), debugFile: nil)
    #expect(table.origin == .symbolTable)
    // From, up to and without, and what is there.
    let expected: [(UInt64, UInt64, String?)] = [
      (0x1ff_fff0, 0x200_0000, nil),
      (0x200_0000, 0x200_0010, "outer"),
      (0x200_0010, 0x200_0020, "inner"),  // the function within
      (0x200_0020, 0x200_0040, "outer"),  // again, the label at 0x2000028 notwithstanding
      (0x200_0040, 0x200_0050, nil),  // padding
      (0x200_0050, 0x200_0060, "sizeless"),
      (0x200_0060, 0x200_0070, "untyped"),
      (0x200_0070, 0x200_0080, "chosen"),  // global, no underscore, the longest
      (0x200_0080, 0x200_0088, "left"),
      (0x200_0088, 0x200_0098, "right"),  // overlaps the end of left
      (0x200_0098, 0x200_00a0, "_start"),  // up to the end of its section
      (0x200_00a0, 0x200_00b0, nil),
    ]
    for (start, end, function) in expected {
      for address in start..<end { #expect(name(table, address) == function, "\(ImageAddress(address))") }
    }
  }

  @Test func `looking up in ascending order gives what single look-ups give, in any order too`() throws {
    let table = try SymbolTable(image: FixtureBinary.image("edges"), debugFile: nil)
    var range = 0
    for address in UInt64(0x1ff_fff0)..<0x200_00c0 {
      #expect(table.function(at: ImageAddress(address), from: &range) == table.function(at: ImageAddress(address)))
    }
    for address in (UInt64(0x1ff_fff0)..<0x200_00c0).reversed() {
      #expect(table.function(at: ImageAddress(address), from: &range) == table.function(at: ImageAddress(address)))
    }
  }

  @Test func `the debug file's table is better than the image's exports`() throws {
    let alone = try SymbolTable(image: FixtureBinary.image("linked"), debugFile: nil)
    #expect(alone.origin == .none)
    #expect(name(alone, 0x40_0656) == nil)
    let both = try SymbolTable(image: FixtureBinary.image("linked"), debugFile: FixtureBinary.image("linked.debug"))
    #expect(both.origin == .symbolTable)
    #expect(name(both, 0x40_0656) == "factorial")
    #expect(name(both, 0x40_0687) == "main")
  }

  @Test func `stubs have their function's name, those of the image even when the debug file has the names`() throws {
    let table = try SymbolTable(image: FixtureBinary.image("linked"), debugFile: FixtureBinary.image("linked.debug"))
    #expect(name(table, 0x40_0530) == "free@plt")
    #expect(name(table, 0x40_053f) == "free@plt")
    #expect(name(table, 0x40_0540) == "strlen@plt")
    #expect(name(table, 0x40_0520) == nil)  // the first stub belongs to no function
  }

  @Test func `versions are no part of a name, and the default one is chosen`() throws {
    let table = try SymbolTable(image: FixtureBinary.image("libversioned.so"), debugFile: nil)
    #expect(name(table, 0x3e8) == "scale")
    #expect(name(table, 0x3e4) == "old_scale" || name(table, 0x3e4) == "scale")
    #expect(name(table, 0x3ec) == "chosen")  // the indirect function rather than its resolver
    #expect(name(table, 0x3f4) == "caller")
    #expect(name(table, 0x3c0) == "chosen@plt")
  }

  @Test func `with exports alone local functions have no name`() throws {
    let bytes = try FixtureBinary.withoutSectionHeaders("libversioned.so")
    let table = try SymbolTable(image: ImageBytes(bytes), debugFile: nil)
    #expect(table.origin == .dynamicSymbols)
    #expect(name(table, 0x3f4) == "caller")
    #expect(name(table, 0x3e0) == nil)
  }

  @Test func `mapping symbols of aarch64 name nothing`() throws {
    let table = try SymbolTable(image: FixtureBinary.image("libarm.so"), debugFile: nil)
    #expect(name(table, 0x103bc) == "exported")
    #expect(name(table, 0x103ec) == "helper")
    #expect(name(table, 0x10430) == "imported@plt")
    #expect(name(table, 0x10404) == nil)
  }

  @Test func `a 32-bit image has its names too`() throws {
    let table = try SymbolTable(image: FixtureBinary.image("lib32.so"), debugFile: nil)
    #expect(name(table, 0x12ba) == "exported")
    #expect(name(table, 0x12c0) == "helper")
  }

  @Test func `a cut name is never longer than asked for`() throws {
    let table = try SymbolTable(image: FixtureBinary.image("edges"), debugFile: nil)
    let function = try #require(table.function(at: ImageAddress(0x200_0000)))
    #expect(table.name(of: function, limit: 3) == "out")
  }
}
