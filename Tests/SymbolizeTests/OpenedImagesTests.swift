import Base
import Glibc
import ObjectFile
import TestSupport
import Testing

@testable import Symbolize

@Suite struct OpenedImagesTests {
  private let scratch: ScratchDirectory
  init() throws { scratch = try ScratchDirectory() }

  /// A copy of a fixture, as a file of its own.
  private func put(_ fixture: String, at name: String) throws -> String {
    let aside = try scratch.write(try Fixture.bytes(Fixture.path("dwarf/" + fixture)), to: name + ".aside")
    let path = scratch.path + "/" + name
    try #require(rename(aside, path) == 0)
    return path
  }

  private func addresses(_ fixture: String) throws -> [ImageAddress] {
    let bytes = try Fixture.bytes(Fixture.path("dwarf/" + fixture))
    let file = try ElfFile(bytes.borrowedBytes)
    let text = try #require(file.section(named: ".text")?.section)
    return stride(from: 0, to: text.byteCount, by: 3).map { ImageAddress(text.address.rawValue + $0) }
  }

  private func symbolize(_ path: String, _ addresses: [ImageAddress], _ opened: OpenedImages?) throws -> [Symbolization] {
    let status = try #require(MappedFileAccess().status(of: path))
    var symbolizer = Symbolizer(locator: ImageLocator())
    symbolizer.opened = opened
    let identity = ImageIdentity(path: path, byteCount: status.byteCount, modified: status.modified)
    return symbolizer.symbolize(identity, addresses).symbolizations
  }

  @Test(arguments: ["gcc-5", "gcc-4", "clang-5", "gcc-lto", "zlib", "zlib-gnu", "split-5"])
  func `files that stay open say what files opened anew say`(fixture: String) throws {
    let path = try put(fixture, at: "app")
    let addresses = try addresses(fixture)
    let anew = try symbolize(path, addresses, nil)
    let opened = OpenedImages()
    for part in stride(from: 0, to: addresses.count, by: 41) {
      let range = part..<min(part + 41, addresses.count)
      #expect(try symbolize(path, Array(addresses[range]), opened) == Array(anew[range]))
      opened.settle()
    }
    // Of what other files say nothing is kept.
    #expect(opened.size.count == (fixture == "split-5" ? 1 : 2) && opened.size.byteCount > 0)
    #expect(Set(anew).count > 2)
  }

  @Test func `a file in another's place is read for itself`() throws {
    let opened = OpenedImages()
    let addresses = try addresses("gcc-5") + addresses("gcc-O0")
    for fixture in ["gcc-5", "gcc-O0", "zlib", "gcc-5"] {
      let path = try put(fixture, at: "app")
      #expect(try symbolize(path, addresses, opened) == symbolize(path, addresses, nil))
    }
    // Of those that are not there any more nothing stays.
    opened.settle()
    #expect(opened.size.count == 2)
    unlink(scratch.path + "/app")
    opened.settle()
    #expect(opened.size == (0, 0))
  }

  @Test func `what was used longest ago goes when there is too much`() throws {
    let all = OpenedImages()
    let addresses = try addresses("zlib")
    let first = try put("zlib", at: "first")
    _ = try symbolize(first, addresses, all)
    let each = all.size.byteCount
    let opened = OpenedImages(maximumByteCount: each * 2)
    let others = try (0..<4).map { try put("zlib", at: "other\($0)") }
    for other in others {
      _ = try symbolize(first, addresses, opened)
      _ = try symbolize(other, addresses, opened)
      #expect(opened.size.byteCount <= each * 2)
    }
    let bytes = try #require(try? MappedFileAccess().open(first))
    let oldest = try #require(try? MappedFileAccess().open(others[0]))
    let stamp = try #require(bytes.identity)
    let oldestStamp = try #require(oldest.identity)
    #expect(opened.take(.lines(stamp)) != nil)
    #expect(opened.take(.lines(oldestStamp)) == nil)
  }

  @Test func `what is larger than all that may be kept is not kept`() throws {
    let opened = OpenedImages(maximumByteCount: 16)
    let path = try put("zlib", at: "app")
    let addresses = try addresses("zlib")
    #expect(try symbolize(path, addresses, opened) == symbolize(path, addresses, nil))
    #expect(opened.size == (0, 0))
  }
}
