import Symbolize
import Testing

@testable import Replayer

struct SymbolMemoryTests {
  private func image(_ path: String) -> ImageIdentity { ImageIdentity(path: path) }

  private func found(_ addresses: Range<UInt64>) -> [(address: UInt64, symbolization: Symbolization)] {
    addresses.map { ($0, .frames([Frame(function: "f\($0 / 64)", file: "a.c", line: UInt32($0 % 64 + 1))])) }
  }

  @Test func `what was found is known again, and of another file nothing is`() {
    let memory = SymbolMemory()
    memory.remember(image("/a"), found(0..<200) + [(1000, .unknown(.addressOutsideEveryFunction))])
    let known = memory.known(image("/a"), [3, 199, 200, 1000])
    #expect(known[3] == .frames([Frame(function: "f0", file: "a.c", line: 4)]))
    #expect(known[199] == .frames([Frame(function: "f3", file: "a.c", line: 8)]) && known[200] == nil)
    #expect(known[1000] == .unknown(.addressOutsideEveryFunction))
    #expect(memory.known(image("/b"), [3]).isEmpty)
  }

  @Test func `what was asked for lately stays when the rest is forgotten`() {
    let memory = SymbolMemory()
    let half: UInt64 = 1 << 16
    memory.remember(image("/a"), found(0..<half))
    memory.remember(image("/b"), found(0..<half))
    // Of the older half.
    #expect(memory.known(image("/a"), [7]).count == 1)
    memory.remember(image("/c"), found(0..<half))
    #expect(memory.known(image("/a"), [7]).count == 1)
    #expect(memory.known(image("/a"), [8]).isEmpty)
    #expect(memory.known(image("/b"), [7]).isEmpty)
    #expect(memory.known(image("/c"), [half - 2]).count == 1)
  }
}
