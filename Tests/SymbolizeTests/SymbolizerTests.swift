import Base
import Glibc
import ObjectFile
import Symbolize
import TestSupport
import Testing

@Suite struct SymbolizerTests {
  private func symbolizer(copy name: String?) throws -> Symbolizer {
    let copy = try name.map { try FixtureBinary.image($0) }
    return Symbolizer(locator: ImageLocator(access: FakeFiles(), recordedCopy: { _ in copy }))
  }

  @Test func `each address gets its answer in its own place`() throws {
    let addresses = [0x200_0000, 0x200_0010, 0x200_0048, 0x200_0021, 0x1, 0x200_0070].map { ImageAddress(UInt64($0)) }
    let answer = try symbolizer(copy: "edges").symbolize(ImageIdentity(path: "/app/edges"), addresses)
    #expect(
      answer.symbolizations == [
        .frames([Frame(function: "outer")]), .frames([Frame(function: "inner")]), .unknown(.addressOutsideEveryFunction),
        .frames([Frame(function: "outer")]), .unknown(.addressOutsideEveryFunction), .frames([Frame(function: "chosen")]),
      ])
    #expect(answer.steps.first?.outcome == .used)
  }

  @Test func `an image without a copy says so`() throws {
    let answer = try symbolizer(copy: nil).symbolize(ImageIdentity(path: "/app/edges"), [ImageAddress(1), ImageAddress(2)])
    #expect(answer.symbolizations == [.unknown(.noImageCopy), .unknown(.noImageCopy)])
  }

  @Test func `a stripped image says that a debug file is missing`() throws {
    let answer = try symbolizer(copy: "linked").symbolize(ImageIdentity(path: "/app/linked"), [ImageAddress(0x40_0656)])
    #expect(answer.symbolizations == [.unknown(.strippedNoDebugFile)])
  }

  @Test func `what is mapped and no ELF file says so`() throws {
    let copy = try ImageBytes(Array("not an ELF file".utf8))
    let symbolizer = Symbolizer(locator: ImageLocator(access: FakeFiles(), recordedCopy: { _ in copy }))
    #expect(symbolizer.symbolize(ImageIdentity(path: "/a"), [ImageAddress(1)]).symbolizations == [.unknown(.notELF)])
  }

  @Test func `an image with a damaged header says so`() throws {
    var bytes = try FixtureBinary.bytes("edges")
    bytes[54] = 1  // e_phentsize
    let copy = try ImageBytes(bytes)
    let symbolizer = Symbolizer(locator: ImageLocator(access: FakeFiles(), recordedCopy: { _ in copy }))
    #expect(symbolizer.symbolize(ImageIdentity(path: "/a"), [ImageAddress(1)]).symbolizations == [.unknown(.malformedImage)])
  }

  /// Gives files of this machine and cuts them to `kept` bytes as soon as they are open.
  private struct CuttingAccess: DebugFileAccess {
    var kept: off_t
    func status(of path: String) -> DebugFileStatus? { MappedFileAccess().status(of: path) }
    func open(_ path: String) throws(SystemCallError) -> ImageBytes {
      let bytes = try MappedFileAccess().open(path)
      guard truncate(path, kept) == 0 else { throw SystemCallError(call: "truncate", path: path, code: errno) }
      return bytes
    }
  }

  @Test func `a file that is cut short while it is read gives no names`() throws {
    let scratch = try ScratchDirectory()
    let whole = try FixtureBinary.bytes("pie")
    for kept in [0, 4096] {
      let path = try scratch.write(whole, to: "cut\(kept)")
      let status = try #require(MappedFileAccess().status(of: path))
      let identity = ImageIdentity(path: path, byteCount: status.byteCount, modified: status.modified)
      let symbolizer = Symbolizer(locator: ImageLocator(access: CuttingAccess(kept: off_t(kept))))
      #expect(symbolizer.symbolize(identity, [ImageAddress(0x1000)]).symbolizations == [.unknown(.malformedImage)])
    }
  }

  @Test func `memory without a file and the kernel have reasons of their own`() throws {
    let symbolizer = try symbolizer(copy: nil)
    let anonymous = ImageIdentity(path: "//anon", kind: .anonymous)
    #expect(symbolizer.symbolize(anonymous, [ImageAddress(1)]).symbolizations == [.unknown(.anonymousMemory)])
    let kernel = ImageIdentity(path: "vmlinux", kind: .kernel)
    #expect(symbolizer.symbolize(kernel, [ImageAddress(1)]).symbolizations == [.unknown(.kernelSymbolUnknown)])
  }

  @Test func `an image with no addresses is answered with none`() throws {
    #expect(try symbolizer(copy: "edges").symbolize(ImageIdentity(path: "/a"), []).symbolizations.isEmpty)
  }

  @Test func `several tasks get the same answers at once`() async throws {
    let symbolizer = try symbolizer(copy: "edges")
    let addresses = (UInt64(0x1ff_fff0)..<0x200_00c0).map { ImageAddress($0) }
    let expected = symbolizer.symbolize(ImageIdentity(path: "/a"), addresses).symbolizations
    await withTaskGroup(of: Bool.self) { group in
      for _ in 0..<8 {
        group.addTask { symbolizer.symbolize(ImageIdentity(path: "/a"), addresses).symbolizations == expected }
      }
      for await isSame in group { #expect(isSame) }
    }
  }

  @Test func `a copy put together from chunks reads as the file, and zero where no chunk is`() throws {
    let bytes = try FixtureBinary.bytes("edges")
    var builder = try ImageBytes.Builder(path: "/a", byteCount: 1 << 32)
    for start in stride(from: 0, to: bytes.count, by: 1000).reversed() {
      builder.write(Array(bytes[start..<min(bytes.count, start + 1000)]), at: FileOffset(UInt64(start)))
    }
    builder.write([1, 2, 3], at: FileOffset(.max))
    let image = builder.finish()
    let copied = image.bytes.extracting(0..<bytes.count).copied()
    let far = image.bytes.byte(at: 1 << 31)
    #expect(copied == bytes)
    #expect(far == 0)
    #expect(throws: SymbolizeError.self) { _ = try ImageBytes.Builder(path: "/a", byteCount: .max) }
  }

  @Test(arguments: FixtureBinary.names)
  func `a damaged image is answered without a trap, wherever it is cut or flipped`(name: String) throws {
    let bytes = try FixtureBinary.bytes(name)
    var addresses: [ImageAddress] = []
    for base: UInt64 in [0, 0x300, 0x40_0500, 0x200_0000] {
      for offset in stride(from: UInt64(0), to: 0x200, by: 7) { addresses.append(ImageAddress(base + offset)) }
    }
    func run(_ bytes: [UInt8]) throws {
      let copy = try ImageBytes(bytes)
      let symbolizer = Symbolizer(locator: ImageLocator(access: FakeFiles(), recordedCopy: { _ in copy }))
      #expect(symbolizer.symbolize(ImageIdentity(path: "/a"), addresses).symbolizations.count == addresses.count)
    }
    for step in 0..<500 { try run(Array(bytes[..<(bytes.count * step / 500)])) }
    var random = SeededGenerator(seed: 3)
    for round in 0..<2_000 {
      var damaged = bytes
      let limit = round % 2 == 0 ? bytes.count : min(bytes.count, 704)
      damaged[Int.random(in: 0..<limit, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      try run(damaged)
    }
  }

  private func dwarf(_ name: String) throws -> ImageBytes { try ImageBytes(try Fixture.bytes(Fixture.path("dwarf/" + name))) }

  private func ask(
    _ copy: ImageBytes, _ addresses: [UInt64], files: FakeFiles = FakeFiles(), showsInlines: Bool = true, workers: Int = 1
  ) -> [Symbolization] {
    let locator = ImageLocator(access: files, recordedCopy: { _ in copy })
    return Symbolizer(locator: locator, showsInlines: showsInlines)
      .symbolize(ImageIdentity(path: "/app/shapes"), addresses.map { ImageAddress($0) }, workers: workers).symbolizations
  }

  @Test func `debug information adds lines and inlined functions, and the outermost name stays the symbol table's`() throws {
    let answer = ask(try dwarf("gcc-5"), [0x200_002b, 0x200_0014, 0x200_0000])
    #expect(
      answer == [
        .frames([
          Frame(function: "shapes::(anonymous namespace)::square", file: "/fixture/src/shapes.cpp", line: 8, startLine: 8),
          Frame(function: "_ZNK6shapes3BoxIlE4areaEv.isra.0", file: "/fixture/src/shapes.cpp", line: 24, startLine: 22),
        ]),
        .unknown(.addressOutsideEveryFunction),
        .frames([
          Frame(function: "_ZNK6shapes3BoxIlE4areaEv.isra.0.cold", file: "/fixture/src/shapes.cpp", line: 22, startLine: 22)
        ]),
      ])
  }

  @Test func `without inlined functions a line is that of the call`() throws {
    #expect(
      ask(try dwarf("gcc-5"), [0x200_002b], showsInlines: false) == [
        .frames([
          Frame(function: "_ZNK6shapes3BoxIlE4areaEv.isra.0", file: "/fixture/src/shapes.cpp", line: 24, startLine: 22)
        ])
      ])
  }

  @Test func `addresses in any order get what they get in ascending order, with any number of workers`() throws {
    let copy = try dwarf("gcc-5")
    let addresses = (UInt64(0x200_0000)..<0x200_0180).map { $0 }
    let ascending = ask(copy, addresses)
    #expect(ask(copy, addresses.reversed(), workers: 3) == ascending.reversed())
  }

  @Test func `debug information that the copy leaves out is read from the original file, if it is still the same`() throws {
    var copy = try Fixture.bytes(Fixture.path("dwarf/gcc-5"))
    let whole = copy
    let sections = try ElfFile(copy.borrowedBytes).sections
    for section in sections where !section.isAllocated && section.kind == .programBits {
      for index in 0..<Int(section.byteCount) { copy[Int(section.fileOffset.rawValue) + index] = 0 }
    }
    var files = FakeFiles()
    files.files["/app/shapes"] = FakeFiles.File(bytes: whole, modified: 5)
    var identity = ImageIdentity(path: "/app/shapes")
    let bytes = try ImageBytes(copy)
    let symbolizer = Symbolizer(locator: ImageLocator(access: files, recordedCopy: { _ in bytes }))
    func lines(_ identity: ImageIdentity) -> Int {
      guard case .frames(let frames) = symbolizer.symbolize(identity, [ImageAddress(0x200_002b)]).symbolizations[0] else { return 0 }
      return frames.count { $0.line != nil }
    }
    identity.byteCount = UInt64(whole.count)
    identity.modified = 5
    #expect(lines(identity) == 2)
    identity.modified = 6
    #expect(lines(identity) == 0)
  }

  @Test func `symbols in xz inside of a stripped program are found`() throws {
    #expect(ask(try dwarf("mini"), [0x200_0040]) == [.frames([Frame(function: "_ZNK6shapes3BoxIiE4areaEv.isra.0")])])
  }
}
