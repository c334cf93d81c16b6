import Base
import Glibc
import TestSupport
import Testing

/// Files that other processes change while they are mapped.
@Suite struct MappedFileTests {
  private static let pageByteCount = 4096

  @Test func `a mapped file has its bytes and is not damaged`() throws {
    let scratch = try ScratchDirectory()
    let bytes = (0..<10_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
    let file = try MappedFile(path: scratch.write(bytes, to: "whole"))
    let copied = file.bytes.copied()
    #expect(copied == bytes)
    let isDamaged = file.isDamaged
    #expect(!isDamaged)
  }

  @Test func `an empty file has no bytes`() throws {
    let scratch = try ScratchDirectory()
    let file = try MappedFile(path: scratch.write([], to: "empty"))
    let count = file.bytes.byteCount
    #expect(count == 0 && file.byteCount == 0)
  }

  @Test func `what is cut off while a file is mapped reads as zeros and is told`() throws {
    let scratch = try ScratchDirectory()
    let pages = 64
    let path = try scratch.write([UInt8](repeating: 0xab, count: pages * Self.pageByteCount), to: "shortened")
    let file = try MappedFile(path: path)
    #expect(truncate(path, off_t(3 * Self.pageByteCount)) == 0)
    for page in 0..<pages {
      let byte = file.bytes.byte(at: page * Self.pageByteCount)
      #expect(byte == (page < 3 ? 0xab : 0), "page \(page)")
      let isDamaged = file.isDamaged
      #expect(isDamaged == (page >= 3), "page \(page)")
    }
  }

  @Test func `files that are cut short on several threads at once are each read to their end`() async throws {
    let scratch = try ScratchDirectory()
    let kept = try MappedFile(path: scratch.write([UInt8](repeating: 1, count: 1 << 20), to: "kept"))
    let sums = try await withThrowingTaskGroup(of: Int.self) { group in
      for number in 0..<32 {
        group.addTask {
          let path = try scratch.write([UInt8](repeating: 1, count: 1 << 20), to: "file\(number)")
          let file = try MappedFile(path: path)
          guard truncate(path, off_t(Self.pageByteCount * number)) == 0 else { return -1 }
          return file.bytes.copied().reduce(0) { $0 + Int($1) } - Self.pageByteCount * number
        }
      }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    #expect(sums == [Int](repeating: 0, count: 32))
    let isDamaged = kept.isDamaged
    #expect(!isDamaged, "a file that nobody touched")
  }
}
