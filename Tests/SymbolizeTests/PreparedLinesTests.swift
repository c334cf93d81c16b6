import Base
import Glibc
import ObjectFile
import Symbolize
import Synchronization
import TestSupport
import Testing

@Suite struct PreparedLinesTests {
  /// A store in memory that counts.
  private final class Store: PreparedLineStore {
    let files = Mutex<[String: [UInt8]]>([:])
    let kept = Mutex(0)
    func open(_ name: String) -> ImageBytes? { files.withLock { $0[name] }.flatMap { try? ImageBytes($0) } }
    func keep(_ bytes: [UInt8], as name: String) {
      files.withLock { $0[name] = bytes }
      kept.withLock { $0 += 1 }
    }
  }

  private func stamp(_ changed: Int64) -> FileStamp { FileStamp(device: 1, inode: 2, modified: 3, changed: changed) }

  private func addresses() throws -> [ImageAddress] {
    let bytes = try Fixture.bytes(Fixture.path("dwarf/gcc-5"))
    let file = try ElfFile(bytes.borrowedBytes)
    let text = try #require(file.section(named: ".text")?.section)
    return (0..<text.byteCount).map { ImageAddress(text.address.rawValue + $0) }
  }

  private func symbolize(
    _ addresses: [ImageAddress], _ store: (any PreparedLineStore)?, stamp: FileStamp?, from: UInt64 = 0, spoiled: Bool = false
  ) throws -> [Symbolization] {
    var bytes = try Fixture.bytes(Fixture.path("dwarf/gcc-5"))
    if spoiled {
      let section = try #require(try ElfFile(bytes.borrowedBytes).section(named: ".debug_info")?.section)
      let start = Int(section.fileOffset.rawValue)
      for index in start..<(start + Int(section.byteCount)) { bytes[index] = 0xff }
    }
    let copy = try ImageBytes(bytes, stamp: stamp)
    let symbolizer = Symbolizer(
      locator: ImageLocator(access: FakeFiles(), recordedCopy: { _ in copy }),
      prepared: store.map { PreparedLines($0, fromByteCount: from) })
    return symbolizer.symbolize(ImageIdentity(path: "/app/gcc-5"), addresses).symbolizations
  }

  @Test func `with kept lines, without and with damaged ones the same comes out`() throws {
    let addresses = try addresses()
    let store = Store()
    let without = try symbolize(addresses, nil, stamp: stamp(1))
    #expect(try symbolize(addresses, store, stamp: stamp(1)) == without)
    #expect(try symbolize(addresses, store, stamp: stamp(1)) == without)
    #expect(store.kept.withLock { $0 } == 1)
    for name in store.files.withLock({ Array($0.keys) }) {
      store.files.withLock { files in
        var bytes = files[name] ?? []
        bytes[bytes.count / 2] ^= 4
        files[name] = bytes
      }
    }
    #expect(try symbolize(addresses, store, stamp: stamp(1)) == without)
    #expect(store.kept.withLock { $0 } == 2)
  }

  @Test func `a second run for the same addresses does not read the debug information`() throws {
    let addresses = try addresses()
    let store = Store()
    let first = try symbolize(addresses, store, stamp: stamp(1))
    // With its debug information gone, only what is kept can say the same.
    #expect(try symbolize(addresses, nil, stamp: stamp(1), spoiled: true) != first)
    #expect(try symbolize(addresses, store, stamp: stamp(1), spoiled: true) == first)
  }

  @Test func `addresses that were not asked for before are read and kept, too`() throws {
    let addresses = try addresses()
    let store = Store()
    let all = try symbolize(addresses, nil, stamp: stamp(1))
    let half = addresses.count / 2
    #expect(try symbolize(Array(addresses[..<half]), store, stamp: stamp(1)) == Array(all[..<half]))
    #expect(try symbolize(addresses, store, stamp: stamp(1)) == all)
    #expect(store.kept.withLock { $0 } == 2)
    #expect(try symbolize(addresses, store, stamp: stamp(1)) == all)
    #expect(store.kept.withLock { $0 } == 2)
  }

  @Test func `a file that changed, has no stamp or is small is read again`() throws {
    let addresses = try addresses()
    let store = Store()
    _ = try symbolize(addresses, store, stamp: nil)
    _ = try symbolize(addresses, store, stamp: stamp(1), from: 1 << 30)
    #expect(store.files.withLock { $0.isEmpty })
    _ = try symbolize(addresses, store, stamp: stamp(1))
    _ = try symbolize(addresses, store, stamp: stamp(2))
    #expect(store.files.withLock { $0.count } == 2)
  }

  @Test func `a directory keeps lines between runs, and not in one that others can write to`() throws {
    let scratch = try ScratchDirectory()
    let addresses = try addresses()
    let without = try symbolize(addresses, nil, stamp: stamp(1))
    for _ in 0..<2 {
      let store = try PreparedLineDirectory(path: scratch.path + "/lines")
      #expect(try symbolize(addresses, store, stamp: stamp(1)) == without)
    }
    #expect(DirectoryListing.names(in: scratch.path + "/lines").count == 1)
    #expect(chmod(scratch.path + "/lines", 0o777) == 0)
    #expect(throws: SystemCallError.self) { try PreparedLineDirectory(path: scratch.path + "/lines") }
  }
}
