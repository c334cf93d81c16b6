import Base
import Synchronization
import Testing

/// Work on several threads, whose outcome does not show it.
@Suite struct ParallelMapTests {
  private struct Stop: Error {}

  @Test(arguments: [1, 2, 8]) func `results are consumed in order, each once, on any number of threads`(_ workers: Int) {
    for count in [0, 1, 2, 100] {
      var consumed: [Int] = []
      parallelForEach(count: count, workers: workers, ahead: 3, { $0 * $0 }, consume: { consumed.append($0) })
      #expect(consumed == (0..<count).map { $0 * $0 })
    }
  }

  @Test(arguments: [1, 2, 8]) func `no more results wait than were allowed`(_ workers: Int) {
    let waiting = Mutex(0)
    let most = Mutex(0)
    parallelForEach(
      count: 200, workers: workers, ahead: 4,
      { index -> Int in
        let now = waiting.withLock { value -> Int in
          value += 1
          return value
        }
        most.withLock { $0 = max($0, now) }
        return index
      }, consume: { _ in waiting.withLock { $0 -= 1 } })
    // One more is being consumed while its place is free again.
    #expect(most.withLock { $0 } <= 5)
    #expect(waiting.withLock { $0 } == 0)
  }

  @Test(arguments: [1, 2, 8]) func `an error of the consumer ends the work`(_ workers: Int) {
    var consumed = 0
    #expect(throws: Stop.self) {
      try parallelForEach(
        count: 1000, workers: workers, ahead: 2, { $0 },
        consume: { index throws(Stop) in
          if index == 5 { throw Stop() }
          consumed += 1
        })
    }
    #expect(consumed == 5)
  }

  @Test(arguments: [1, 2, 8]) func `two things made side by side come back in their places`(_ workers: Int) {
    let (number, text) = side(bySideOn: workers, { 7 }, { "seven" })
    #expect(number == 7)
    #expect(text == "seven")
  }
}
