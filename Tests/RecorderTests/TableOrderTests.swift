import Base
import Glibc
import TestSupport
import Testing
import Unwind

@testable import Recorder

@Suite struct TableOrderTests {
  /// Swift's libraries in this process: built without optimizations, the table of a larger one would take seconds. Not the C
  /// library, of which the code is not read that tells whether the rule of its signal trampoline begins a byte early already.
  private static func files() throws -> [String] {
    let maps = ProcessMap.executable(in: try contents(of: "/proc/self/maps", limit: 1 << 24))
    return Set(maps.map(\.path)).filter { path in
      guard path.contains("libswift"), let file = try? MappedFile(path: path) else { return false }
      return file.bytes.byteCount <= 2 << 20
    }.sorted()
  }

  @Test("what is read of a Swift library makes the table that all of its bytes make")
  func partsOfFiles() throws {
    let files = try Self.files()
    #expect(!files.isEmpty)
    for path in files {
      let descriptor = open(path, O_RDONLY | O_CLOEXEC)
      defer { _ = close(descriptor) }
      let order = TableOrder(number: 0, source: .file(descriptor), path: path, isUrgent: true)
      let file = try MappedFile(path: path)
      let whole = try UnwindTableBuilder.build(file.bytes)
      let built = order.build(cache: nil)
      if whole.rows.isEmpty { #expect(built == nil) } else { #expect(built == whole, "\(path)") }
    }
  }
}
