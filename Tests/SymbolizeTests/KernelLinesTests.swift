import Base
import ObjectFile
import Symbolize
import TestSupport
import Testing

/// `fixtures/dwarf/gcc-5` stands for a kernel that was moved when it was loaded, `module` for a module.
struct KernelLinesTests {
  private static func image(_ name: String) throws -> ImageBytes { try ImageBytes(try Fixture.bytes(Fixture.path("dwarf/" + name))) }

  /// The functions of a file, as a running kernel would name them.
  private static func symbols(
    _ image: ImageBytes, module: String, at place: (Int, UInt64) -> UInt64
  ) throws -> [KernelSymbolTable.Symbol] {
    let elf = try ElfFile(image.bytes)
    guard let table = elf.symbolTable else { return [] }
    var symbols: [KernelSymbolTable.Symbol] = []
    for index in 0..<table.count where table[index].kind == .function && table[index].byteCount > 0 {
      let symbol = table[index]
      let name = table.name(at: symbol.nameOffset).text()
      symbols.append(
        KernelSymbolTable.Symbol(
          address: place(Int(symbol.section), symbol.value), byteCount: symbol.byteCount, name: name, module: module))
    }
    return symbols
  }

  private static func lines(_ image: ImageBytes, _ symbols: [KernelSymbolTable.Symbol]) -> KernelLines? {
    var steps: [LocatorStep] = []
    return KernelLines(image, symbols: symbols, textStart: nil, steps: &steps)
  }

  private static func text(_ lines: KernelLines?, _ symbol: KernelSymbolTable.Symbol) -> Set<String> {
    let addresses = (0..<symbol.byteCount).map { symbol.address &+ $0 }
    let frames = lines?.frames(at: addresses, names: addresses.map { _ in symbol.name }, showsInlines: true) ?? []
    return Set(frames.flatMap { $0.map { "\($0.function) \($0.file?.split(separator: "/").last ?? "?"):\($0.line ?? 0)" } })
  }

  @Test("a kernel that was moved has its lines where it was moved to")
  func kernel() throws {
    let image = try Self.image("gcc-5")
    let slide: UInt64 = 0xffff_ffff_7e00_0000
    let symbols = try Self.symbols(image, module: "") { $1 &+ slide }
    let lines = Self.lines(image, symbols)
    let twice = try #require(symbols.first { $0.name == "twice" })
    #expect(Self.text(lines, twice).isSuperset(of: ["more twice.c:3", "twice twice.c:6"]))
  }

  @Test("a module's sections lie anywhere; those without a recorded function have no lines")
  func module() throws {
    let image = try Self.image("module")
    let all = try Self.symbols(image, module: "module") { 0xffff_ffff_c000_0000 &+ UInt64($0) &* 0x10_0000 &+ $1 }
    let twice = try #require(all.first { $0.name == "twice" })
    #expect(Self.text(Self.lines(image, all), twice).contains("twice twice.c:6"))
    let cold = all.filter { $0.address & 0xf0_0000 != twice.address & 0xf0_0000 }
    #expect(!cold.isEmpty)
    let lines = try #require(Self.lines(image, cold))
    #expect(Self.text(lines, twice).isEmpty)
    #expect(cold.contains { !Self.text(lines, $0).isEmpty })
  }

  @Test("a file whose functions are not where they could be gives no lines")
  func foreign() throws {
    let image = try Self.image("gcc-5")
    var distance: UInt64 = 0
    let symbols = try Self.symbols(image, module: "") {
      distance += 0x20_0000
      return $1 &+ distance
    }
    #expect(symbols.count > 3)
    let broken = try ImageBytes([0x7f])
    var steps: [LocatorStep] = []
    #expect(KernelLines(image, symbols: symbols, textStart: nil, steps: &steps) == nil)
    #expect(KernelLines(image, symbols: [], textStart: 0x1000, steps: &steps) == nil)
    #expect(KernelLines(broken, symbols: symbols, textStart: nil, steps: &steps) == nil)
    // Each says why, for `--verbose`.
    #expect(steps.map { $0.description.contains("one distance") } == [true, true, false])
    #expect(steps.last?.isDamage == true)
  }
}
