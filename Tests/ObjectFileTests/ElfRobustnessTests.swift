import Base
import ObjectFile
import TestSupport
import Testing

/// Damaged files: whatever stands in them, reading ends soon and nothing traps.
@Suite struct ElfRobustnessTests {
  private func readAll(_ table: ElfSymbolTable?) {
    guard let table else { return }
    for index in 0..<min(table.count, 10_000) {
      _ = table.name(at: table[index].nameOffset).byteCount
      _ = table.sectionIndex(of: table[index], at: index)
    }
  }

  /// Reads everything there is to read.
  private func readAll(_ bytes: [UInt8]) {
    do throws(MalformedInput) {
      let file = try ElfFile(bytes.borrowedBytes)
      _ = file.buildID
      for index in file.sections.indices {
        _ = file.sectionName(index).byteCount
        do throws(MalformedInput) {
          _ = try file.inflatedContents(of: file.sections[index]).count
        } catch {
          continue
        }
      }
      readAll(file.symbolTable)
      readAll(file.dynamicSymbolTable)
      _ = PLTStubs.stubs(of: file).count
      _ = try? file.debugLink()
      _ = try? file.debugAltLink()
      _ = try? ElfVersions(file)
    } catch {
      #expect(!error.description.isEmpty)
    }
  }

  @Test(arguments: FixtureBinary.names)
  func `a file cut at any of 500 places is read without a trap`(name: String) throws {
    let bytes = try FixtureBinary.bytes(name)
    for step in 0..<500 { readAll(Array(bytes[..<(bytes.count * step / 500)])) }
  }

  @Test(arguments: FixtureBinary.names)
  func `a file with bits flipped at any of 2,000 places is read without a trap`(name: String) throws {
    let bytes = try FixtureBinary.bytes(name)
    var random = SeededGenerator(seed: 2)
    let sectionHeaders = Int(try ElfFile(bytes.borrowedBytes).header.sectionHeaderOffset.rawValue)
    for round in 0..<2_000 {
      var damaged = bytes
      // A third anywhere, a third in the file and program headers, a third in the section headers.
      let range = [0..<bytes.count, 0..<704, sectionHeaders..<bytes.count][round % 3]
      let index = Int.random(in: range, using: &random)
      damaged[index] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      readAll(damaged)
    }
  }
}
