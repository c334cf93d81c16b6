import Base
import Glibc
import ObjectFile
import Recorder
import TestSupport
import Testing
import Unwind

@Suite struct TableCacheDirectoryTests {
  private func table(of path: String) throws -> (table: UnwindTable, key: UnwindTableKey) {
    let file = try MappedFile(path: path)
    let key = UnwindTableKey(try ElfFile(file.bytes))
    return (try UnwindTableBuilder.build(file.bytes), key)
  }

  private var binaries: [String] {
    ["pie", "liblld.so", "libarm.so"].map { "\(Command.repository)/fixtures/binaries/\($0)" }
  }

  @Test("a kept table is there for the next recording, and only for that file")
  func comesBack() throws {
    let scratch = try ScratchDirectory()
    let cache = try TableCacheDirectory(path: scratch.path + "/tables")
    let (table, key) = try table(of: binaries[0])
    #expect(!table.rows.isEmpty)
    #expect(cache.table(of: key) == nil)
    try cache.keep(table, of: key)
    let again = try TableCacheDirectory(path: scratch.path + "/tables")
    #expect(again.table(of: key) == table)
    #expect(again.table(of: try self.table(of: binaries[1]).key) == nil)
  }

  @Test("a damaged file is as good as none, and is replaced")
  func damaged() throws {
    let scratch = try ScratchDirectory()
    let cache = try TableCacheDirectory(path: scratch.path)
    let (table, key) = try table(of: binaries[0])
    try cache.keep(table, of: key)
    let name = try #require(DirectoryListing.names(in: scratch.path).first)
    try scratch.write([1, 2, 3], to: name)
    #expect(cache.table(of: key) == nil)
    try cache.keep(table, of: key)
    #expect(cache.table(of: key) == table)
    #expect(DirectoryListing.names(in: scratch.path) == [name])
  }

  @Test("when the files are too many, those used longest ago go")
  func bounded() throws {
    let scratch = try ScratchDirectory()
    let tables = try binaries.map { try table(of: $0) }
    let sizes = tables.map { UInt64(UnwindTableCache.encode($0.table, $0.key).count) }
    let cache = try TableCacheDirectory(path: scratch.path, maximumByteCount: sizes.reduce(0, +) - 1)
    try cache.keep(tables[0].table, of: tables[0].key)
    try cache.keep(tables[1].table, of: tables[1].key)
    // The first was used last, whatever the clock's grain.
    for name in DirectoryListing.names(in: scratch.path) where name.hasPrefix(tables[1].key.name) {
      var times = [timespec(tv_sec: 1000, tv_nsec: 0), timespec(tv_sec: 1000, tv_nsec: 0)]
      #expect(utimensat(AT_FDCWD, "\(scratch.path)/\(name)", &times, 0) == 0)
    }
    try cache.keep(tables[2].table, of: tables[2].key)
    #expect(cache.table(of: tables[0].key) != nil)
    #expect(cache.table(of: tables[1].key) == nil)
    #expect(cache.table(of: tables[2].key) != nil)
  }

  @Test("a directory that others can write to is refused")
  func foreign() throws {
    let scratch = try ScratchDirectory()
    #expect(chmod(scratch.path, 0o777) == 0)
    #expect(throws: SystemCallError.self) { try TableCacheDirectory(path: scratch.path) }
  }
}
