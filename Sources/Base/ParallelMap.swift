import Dispatch
import Synchronization

/// The results of `body` for 0 to `count` - 1, in that order, computed by `workers` threads at most.
///
/// With one worker everything runs on the caller's thread. What comes out does not depend on the number.
package func parallelMap<Result: Sendable>(
  count: Int, workers: Int, _ body: @Sendable (Int) -> Result
) -> [Result] {
  guard workers > 1, count > 1 else { return (0..<count).map(body) }
  let next = Mutex(0)
  let results = Mutex([Result?](repeating: nil, count: count))
  DispatchQueue.concurrentPerform(iterations: min(workers, count)) { _ in
    while true {
      let index = next.withLock { value -> Int in
        defer { value += 1 }
        return value
      }
      guard index < count else { return }
      let result = body(index)
      results.withLock { $0[index] = result }
    }
  }
  return results.withLock { $0.compactMap { $0 } }
}

/// What `first` and `second` give, computed side by side where there is more than one worker.
package func side<First: Sendable, Second: Sendable>(
  bySideOn workers: Int, _ first: @Sendable () -> First, _ second: @Sendable () -> Second
) -> (First, Second) {
  guard workers > 1 else { return (first(), second()) }
  let firstResult = Mutex<First?>(nil)
  let secondResult = Mutex<Second?>(nil)
  DispatchQueue.concurrentPerform(iterations: 2) { index in
    if index == 0 {
      let made = first()
      firstResult.withLock { $0 = made }
    } else {
      let made = second()
      secondResult.withLock { $0 = made }
    }
  }
  guard let one = firstResult.withLock({ $0 }), let other = secondResult.withLock({ $0 }) else {
    preconditionFailure("both bodies ran")
  }
  return (one, other)
}
