import Testing

@testable import Unwind

struct ExtentAllocatorTests {
  @Test func `what is given back is one piece again`() throws {
    var space = ExtentAllocator(count: 100)
    let taken = [space.take(30), space.take(30), space.take(40)].compactMap { $0 }
    try #require(taken.count == 3)
    let more = space.take(1)
    #expect(more == nil && space.freeCount == 0)
    space.give(taken[0])
    space.give(taken[2])
    let inPieces = space.take(50)
    #expect(inPieces == nil, "two pieces of 30 and 40")
    space.give(taken[1])
    let whole = space.take(100)
    #expect(whole == ExtentAllocator.Extent(first: 0, count: 100))
  }

  @Test func `no piece crosses a boundary`() {
    var space = ExtentAllocator(count: 256, boundary: 64)
    let tooLong = space.take(65)
    #expect(tooLong == nil)
    var taken: [ExtentAllocator.Extent] = []
    while let extent = space.take(40) { taken.append(extent) }
    #expect(taken.count == 4)
    #expect(taken.allSatisfy { $0.first / 64 == ($0.end - 1) / 64 })
    for extent in taken { space.give(extent) }
    let stillTooLong = space.take(65)
    #expect(stillTooLong == nil && space.freeCount == 256)
    let whole = (0..<4).map { _ in space.take(64) }
    #expect(whole.allSatisfy { $0 != nil })
  }

  @Test func `taking and giving in any order loses nothing and hands nothing out twice`() {
    var generator = SplitMix(state: 7)
    var space = ExtentAllocator(count: 4096, boundary: 512)
    var held: [ExtentAllocator.Extent] = []
    var used = [Bool](repeating: false, count: 4096)
    for _ in 0..<4000 {
      if held.isEmpty || generator.next() % 2 == 0 {
        guard let extent = space.take(Int(generator.next() % 100)) else { continue }
        #expect(used[extent.first..<extent.end].allSatisfy { !$0 })
        for index in extent.first..<extent.end { used[index] = true }
        held.append(extent)
      } else {
        let extent = held.remove(at: Int(generator.next() % UInt64(held.count)))
        for index in extent.first..<extent.end { used[index] = false }
        space.give(extent)
      }
      #expect(space.freeCount == used.count { !$0 })
    }
  }
}

struct SplitMix {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
    return z ^ z >> 31
  }
}
