import Base
import Testing

struct ZeroedTableTests {
  @Test func `a table begins with zeros, keeps what is written and can be cleared`() {
    var table = ZeroedTable<UInt64>(count: 1000)
    let before = (0..<1000).map { table[$0] }
    table[0] = 7
    table[999] = 8
    let written = [table[0], table[1], table[999]]
    table.clear()
    let after = (0..<1000).map { table[$0] }
    #expect(before == [UInt64](repeating: 0, count: 1000))
    #expect(written == [7, 0, 8])
    #expect(after == before)
  }
}
