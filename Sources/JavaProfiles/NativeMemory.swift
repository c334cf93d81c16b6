/// Pairs allocations of native memory with their frees; what is left was still held when the recording ended.
struct NativeMemory {
  private struct Event {
    var time: Int64
    var address: Int64
    var size: Int64
    var stack: UInt32
    var labels: UInt32
    var isFree: Bool
  }
  private var events: [Event] = []
  private(set) var freeCount = 0
  /// Beyond it nothing is paired.
  private static let maximumEvents = 4 << 20
  private(set) var isOverLimit = false

  mutating func allocate(_ address: Int64, size: Int64, time: Int64, stack: UInt32, labels: UInt32) {
    append(Event(time: time, address: address, size: size, stack: stack, labels: labels, isFree: false))
  }

  mutating func free(_ address: Int64, time: Int64) {
    freeCount += 1
    append(Event(time: time, address: address, size: 0, stack: 0, labels: 0, isFree: true))
  }

  private mutating func append(_ event: Event) {
    guard events.count < Self.maximumEvents else {
      isOverLimit = true
      return
    }
    events.append(event)
  }

  /// What was never freed; empty where frees were not recorded.
  func live() -> SampleSet {
    var set = SampleSet()
    guard freeCount > 0, !isOverLimit else { return set }
    // Buffers of threads are written one after the other, so events are in order only within one.
    let order = events.indices.sorted { (events[$0].time, $0) < (events[$1].time, $1) }
    var held: [Int64: Int] = [:]
    for index in order { held[events[index].address] = events[index].isFree ? nil : index }
    for index in held.values.sorted() {
      let event = events[index]
      set.add(stack: event.stack, labels: event.labels, count: 1, value: event.size)
    }
    return set
  }
}
