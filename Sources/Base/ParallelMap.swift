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
