import Base
import ObjectFile
import Testing
import Unwind

/// Damaged files: whatever stands in them, building ends soon, takes room in proportion, and nothing traps.
@Suite struct DamagedFileTests {
  static let binaries = ["pie", "linked", "liblld.so", "libarm.so", "lib32.so"]

  /// A file with all sources of rows.
  static let made: MadeFile = {
    var frames = Frames()
    frames.common(letters: "PL", data: [0x9b, 0, 0, 0, 0, 0x1b])
    let start = MadeFile.codeAddress
    frames.function(start, 0x20, [0x41, 0x0e, 16, 0x86, 2, 0x43, 0x0d, 6, 0x0a, 0x41, 0x0c, 7, 8, 0x0b])
    frames.function(start + 0x20, 0x20, [0x0f, 11, 0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x35, 0x2a, 0x33, 0x24, 0x22])
    frames.function(start + 0x60, 0x40, [0x02, 4, 0x0e, 32, 0x10, 6, 2, 0x76, 0, 0x03, 8, 0, 0x09, 16, 5, 0x2e, 9])
    frames.common(letters: "S")
    frames.function(start + 0x100, 0x10, [0x16, 16, 2, 0x77, 8])
    var debugFrames = Frames()
    debugFrames.isDebugFrame = true
    debugFrames.version = 4
    debugFrames.common(encoding: nil)
    debugFrames.function(start + 0x180, 0x40, [0x04, 8, 0, 0, 0, 0x0e, 16])
    var file = MadeFile(ehFrame: frames.bytes, debugFrame: debugFrames.bytes)
    file.entry = start + 0x1d0
    file.goTable =
      GoTable(
        layout: 0xffff_fff1, textStart: start,
        functions: [
          GoTable.Function(offset: 0x110, name: "main.main", steps: [(0, 4), (24, 0x10), (0, 4)]),
          GoTable.Function(offset: 0x140, name: "runtime.goexit", steps: [(0, 0x20)]),
          GoTable.Function(offset: 0x160, name: "", steps: []),
        ]
      ).bytes
    file.functionCount = 4
    return file
  }()

  private func build(_ bytes: [UInt8]) {
    do throws(UnwindError) {
      let table = try UnwindTableBuilder.build(bytes.borrowedBytes)
      #expect(table.rows.count <= 4 * bytes.count && table.pageStarts.count <= 1 << 19)
      #expect(table.pageStarts.isEmpty == table.rows.isEmpty)
      for address in [0, MadeFile.codeAddress, MadeFile.codeAddress + 0x100, .max] { _ = table.rule(at: ImageAddress(address)) }
    } catch {
      #expect(!error.description.isEmpty)
    }
  }

  @Test("a file with all sources of rows has rows from each")
  func made() throws {
    let table = try UnwindTableBuilder.build(Self.made.bytes.borrowedBytes)
    for offset in [0, 0x20, 0x70, 0x108, 0x118, 0x190, 0x1d8] as [UInt64] {
      #expect(table.rule(at: ImageAddress(MadeFile.codeAddress + offset)) != RuleNumber.none, "+\(offset)")
    }
  }

  @Test("a file cut at any place is read without a trap")
  func cut() {
    let bytes = Self.made.bytes
    for end in 0...bytes.count { build(Array(bytes[..<end])) }
  }

  @Test("a file with any bit flipped is read without a trap", arguments: [true, false])
  func flipped(hasSections: Bool) {
    var file = Self.made
    file.hasSections = hasSections
    var bytes = file.bytes
    for index in bytes.indices {
      for bit in 0..<8 {
        bytes[index] ^= 1 << bit
        build(bytes)
        bytes[index] ^= 1 << bit
      }
    }
  }

  @Test("real files with bytes replaced at random are read without a trap", arguments: binaries)
  func replaced(name: String) throws {
    let bytes = try contents(of: fixture(name), limit: 1 << 20)
    var random = SeededGenerator(seed: 3)
    for _ in 0..<1_000 {
      var damaged = bytes
      for _ in 0..<Int.random(in: 1...8, using: &random) {
        damaged[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
      }
      build(damaged)
    }
  }

  @Test("functions that all claim one far common entry, and lengths that lie, are left out")
  func lies() throws {
    var frames = Frames()
    frames.common()
    frames.function(MadeFile.codeAddress, .max, [])
    frames.function(MadeFile.codeAddress &- 8, 0x10, [])
    frames.function(.max - 4, 0x10, [])
    frames.function(MadeFile.codeAddress + 0x40, 0x10, [0x0e, 16])
    var file = MadeFile(ehFrame: frames.bytes)
    let table = try UnwindTableBuilder.build(file.bytes.borrowedBytes)
    #expect(table.rows.count == 2)
    file.ehFrame += [0xf0, 0xff, 0xff, 0x7f, 1, 2, 3]
    #expect(try UnwindTableBuilder.build(file.bytes.borrowedBytes).rows == table.rows)
  }

  private func fixture(_ name: String, file: String = #filePath) -> String {
    file.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(separator: "/") + "/fixtures/binaries/" + name
  }
}

/// Repeatable random numbers (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64
  init(seed: UInt64) { state = seed }
  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var value = state
    value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
    value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
    return value ^ (value >> 31)
  }
}
