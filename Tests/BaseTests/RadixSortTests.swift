import Base
import Testing

@Suite struct RadixSortTests {
  @Test(arguments: [0, 1, 2, 1000, 5000], [4, 20, 44, 64])
  func `numbers come out ascending, none lost`(count: Int, bits: Int) {
    var generator = SeededGenerator(seed: UInt64(count + bits))
    let mask = bits == 64 ? UInt64.max : 1 << UInt64(bits) - 1
    let numbers = (0..<count).map { _ in UInt64.random(in: 0...UInt64.max, using: &generator) & mask }
    var sorted = numbers
    sorted.sortNumbers()
    #expect(sorted == numbers.sorted())
  }

  @Test func `what is in order below a bit stays so`() {
    var generator = SeededGenerator(seed: 3)
    let numbers = (0..<4000).map { UInt64.random(in: 0..<50, using: &generator) << 24 | UInt64($0) }
    var sorted = numbers
    sorted.sortNumbers(fromBit: 24)
    #expect(sorted == numbers.sorted())
  }
}
