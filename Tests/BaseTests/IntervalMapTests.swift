import Base
import Testing

/// Maps of addresses.
@Suite struct IntervalMapTests {
  private struct Piece: AddressInterval, Equatable {
    var start: UInt64
    var end: UInt64
    var name: Character
    /// Counts from `start`, as a mapping's place in its file.
    var offset: UInt64 = 0

    mutating func moveStart(to address: UInt64) {
      offset += address - start
      start = address
    }
  }

  private func map(_ pieces: (UInt64, UInt64, Character)...) -> IntervalMap<Piece> {
    var map = IntervalMap<Piece>()
    for (start, end, name) in pieces { map.insert(Piece(start: start, end: end, name: name)) }
    return map
  }

  @Test func `neighbours stay apart and in order`() {
    let map = map((20, 30, "b"), (0, 10, "a"), (10, 20, "c"))
    #expect(map.intervals.map(\.name) == ["a", "c", "b"])
    #expect([0, 9, 10, 19, 20, 29].map { map.interval(at: $0)?.name } == ["a", "a", "c", "c", "b", "b"])
    #expect(map.interval(at: 30) == nil && map.interval(at: .max) == nil)
  }

  @Test func `what is put into another leaves its two ends, the second further into its file`() {
    let map = map((0, 100, "a"), (40, 50, "b"))
    #expect(
      map.intervals == [
        Piece(start: 0, end: 40, name: "a"), Piece(start: 40, end: 50, name: "b"), Piece(start: 50, end: 100, name: "a", offset: 50),
      ])
  }

  @Test func `what covers several takes their place and trims those at its ends`() {
    let map = map((0, 10, "a"), (10, 20, "b"), (20, 30, "c"), (5, 25, "d"))
    #expect(
      map.intervals == [
        Piece(start: 0, end: 5, name: "a"), Piece(start: 5, end: 25, name: "d"), Piece(start: 25, end: 30, name: "c", offset: 5),
      ])
  }

  @Test func `what is empty or upside down changes nothing`() {
    var map = map((0, 10, "a"))
    map.insert(Piece(start: 5, end: 5, name: "b"))
    map.insert(Piece(start: 8, end: 3, name: "b"))
    map.insert(Piece(start: 20, end: 20, name: "b"))
    #expect(map.intervals == [Piece(start: 0, end: 10, name: "a")])
  }

  @Test func `the highest addresses can be mapped`() {
    let map = map((.max - 10, .max, "a"), (0, .max - 5, "b"))
    #expect(map.interval(at: .max - 6)?.name == "b")
    #expect(map.interval(at: .max - 1) == Piece(start: .max - 5, end: .max, name: "a", offset: 5))
  }

  @Test func `after any insertions each address belongs to the last that covered it`() {
    var random = SeededGenerator(seed: 7)
    for _ in 0..<200 {
      var map = IntervalMap<Piece>()
      var expected = [Character?](repeating: nil, count: 64)
      for number in 0..<UInt8(20) {
        let start = Int.random(in: 0..<64, using: &random)
        let end = Int.random(in: 0...64, using: &random)
        let name = Character(UnicodeScalar(UInt8(ascii: "a") + number))
        map.insert(Piece(start: UInt64(start), end: UInt64(end), name: name, offset: UInt64(start)))
        if start < end { for address in start..<end { expected[address] = name } }
      }
      #expect((0..<64).map { map.interval(at: UInt64($0))?.name } == expected)
      #expect(map.intervals.allSatisfy { $0.start < $0.end && $0.offset == $0.start })
      #expect(zip(map.intervals, map.intervals.dropFirst()).allSatisfy { $0.end <= $1.start })
    }
  }
}
