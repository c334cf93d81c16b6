import Base
import ObjectFile
import Testing
import Unwind

@Suite struct UnwindTableCacheTests {
  private func made() throws -> (table: UnwindTable, key: UnwindTableKey) {
    let bytes = DamagedFileTests.made.bytes
    let table = try UnwindTableBuilder.build(bytes.borrowedBytes)
    return (table, UnwindTableKey(try ElfFile(bytes.borrowedBytes)))
  }

  @Test("a kept table comes back as it was")
  func comesBack() throws {
    let (table, key) = try made()
    let bytes = UnwindTableCache.encode(table, key)
    #expect(UnwindTableCache.decode(bytes.borrowedBytes, key) == table)
    #expect(bytes.count < table.byteCount + 512)
  }

  @Test("a kept table that is cut, or has any bit flipped, is none")
  func damaged() throws {
    let (table, key) = try made()
    let bytes = UnwindTableCache.encode(table, key)
    for end in bytes.indices { #expect(UnwindTableCache.decode(Array(bytes[..<end]).borrowedBytes, key) == nil) }
    #expect(UnwindTableCache.decode((bytes + [0]).borrowedBytes, key) == nil)
    for index in bytes.indices {
      var damaged = bytes
      damaged[index] ^= 0x10
      #expect(UnwindTableCache.decode(damaged.borrowedBytes, key) == nil)
    }
  }

  @Test("numbers that lead outside of the table are refused whatever the checksum says")
  func inconsistent() throws {
    let (table, key) = try made()
    let bytes = UnwindTableCache.encode(table, key)
    // The last row's rule number, and the number of rows in the last page start.
    for offset in [bytes.count - 5, bytes.count - 4 - table.rows.count * 4 - 4] {
      var damaged = bytes
      damaged[offset] = 0x7f
      let sum = CRC32.of(Array(damaged.dropLast(4)).borrowedBytes)
      damaged.replaceSubrange((damaged.count - 4)..., with: little(sum))
      #expect(UnwindTableCache.decode(damaged.borrowedBytes, key) == nil)
    }
  }

  @Test("the table of another file is refused, and files that differ in their call frames have other keys")
  func otherFile() throws {
    let (table, key) = try made()
    var file = DamagedFileTests.made
    file.ehFrame[40] ^= 1
    let other = UnwindTableKey(try ElfFile(file.bytes.borrowedBytes))
    #expect(other.name != key.name)
    let bytes = UnwindTableCache.encode(table, key)
    #expect(UnwindTableCache.decode(bytes.borrowedBytes, other) == nil)
  }
}
