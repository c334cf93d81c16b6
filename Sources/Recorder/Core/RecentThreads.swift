import TraceFormat

/// What samples of late said of their threads, by thread id.
struct RecentThreads {
  private struct Thread {
    var id: UInt32
    var handle: ThreadHandle
    var process: RecordedProcess
  }
  private static let count = 64
  private var threads = [Thread?](repeating: nil, count: count)
  private var isEmpty = true

  func thread(of event: borrowing SampleEvent) -> (handle: ThreadHandle, process: RecordedProcess)? {
    guard let known = threads[Self.place(event.thread)], known.id == event.thread, known.process.pid == event.process,
      known.process.startTime == event.startTime
    else { return nil }
    return (known.handle, known.process)
  }

  mutating func remember(_ handle: ThreadHandle, of event: borrowing SampleEvent, in process: RecordedProcess) {
    threads[Self.place(event.thread)] = Thread(id: event.thread, handle: handle, process: process)
    isEmpty = false
  }

  mutating func forget() {
    guard !isEmpty else { return }
    isEmpty = true
    for index in threads.indices { threads[index] = nil }
  }

  private static func place(_ thread: UInt32) -> Int { Int(truncatingIfNeeded: thread) & (count - 1) }
}
