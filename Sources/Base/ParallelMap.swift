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

/// Gives the results of `produce` for 0 to `count` - 1 to `consume`, in that order, on the caller's thread, while up to
/// `workers` - 1 other threads produce ahead. At most `ahead` results wait at a time.
package func parallelForEach<Result: Sendable, Failure: Error>(
  count: Int, workers: Int, ahead: Int, _ produce: @escaping @Sendable (Int) -> Result,
  consume: (Result) throws(Failure) -> Void
) throws(Failure) {
  guard workers > 1, count > 1 else {
    for index in 0..<count { try consume(produce(index)) }
    return
  }
  let line = AssemblyLine<Result>(count: count, ahead: max(ahead, 1))
  for _ in 0..<min(workers - 1, count) {
    DispatchQueue.global().async { while let index = line.claim(waiting: true) { line.put(produce(index), at: index) } }
  }
  defer { line.stop() }
  for index in 0..<count {
    var result = line.take(index)
    while result == nil {
      // Rather than wait, the caller makes one itself.
      if let mine = line.claim(waiting: false) { line.put(produce(mine), at: mine) } else { line.wait() }
      result = line.take(index)
    }
    if let result { try consume(result) }
  }
}

/// What is made out of order and taken in order.
private final class AssemblyLine<Result: Sendable>: Sendable {
  private struct State {
    var next = 0
    var made: [Int: Result] = [:]
    var isStopped = false
  }
  private let state = Mutex(State())
  private let count: Int
  /// One for each result that may still be begun before another is taken.
  private let room: DispatchSemaphore
  /// One for each result made; a waiter looks again, whichever it was.
  private let news = DispatchSemaphore(value: 0)

  init(count: Int, ahead: Int) {
    self.count = count
    // A semaphore must not be let go below the value it began with.
    room = DispatchSemaphore(value: 0)
    for _ in 0..<ahead { room.signal() }
  }

  /// The next index to make; `nil` when there is none, or, without `waiting`, none yet.
  func claim(waiting: Bool) -> Int? {
    if waiting { room.wait() } else if room.wait(timeout: .now()) == .timedOut { return nil }
    return state.withLock { state in
      guard !state.isStopped, state.next < count else {
        // For the next one who waits: there is no more to do.
        room.signal()
        return nil
      }
      defer { state.next += 1 }
      return state.next
    }
  }

  func put(_ result: Result, at index: Int) {
    state.withLock { $0.made[index] = result }
    news.signal()
  }

  func take(_ index: Int) -> Result? {
    let result = state.withLock { $0.made.removeValue(forKey: index) }
    if result != nil { room.signal() }
    return result
  }

  func wait() { news.wait() }

  func stop() {
    state.withLock { $0.isStopped = true }
    room.signal()
  }
}
