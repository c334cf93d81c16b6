public import Base

/// One sample. Its process is its thread's, its address space the root of its user stack.
public struct Sample: Hashable, Sendable {
  public var cpu: UInt32
  /// Whole microseconds of `CLOCK_MONOTONIC`: finer digits are noise that does not compress.
  public var timeMicroseconds: UInt64
  public var thread: ThreadHandle
  public var userStack: StackHandle
  public var kernelStack: StackHandle
  public var event: EventHandle
  /// How many periods of the event the sample stands for.
  public var weight: UInt64
  /// An `UnwindResult`, kept as a number so that a newer recorder's result survives.
  public var result: UInt8
  public init(
    cpu: UInt32, timeMicroseconds: UInt64, thread: ThreadHandle, userStack: StackHandle, kernelStack: StackHandle,
    event: EventHandle, weight: UInt64, result: UInt8
  ) {
    self.cpu = cpu
    self.timeMicroseconds = timeMicroseconds
    self.thread = thread
    self.userStack = userStack
    self.kernelStack = kernelStack
    self.event = event
    self.weight = weight
    self.result = result
  }
}

/// Samples of about a second, grouped by CPU and in order of time within each: that makes the columns regular.
public struct SampleBatch: Hashable, Sendable {
  public var samples: [Sample]
  public init(samples: [Sample] = []) { self.samples = samples }
}

extension SampleBatch: SegmentRecord {
  public static let kind = RecordKind.samples

  /// The samples by CPU and time; those equal in both keep their order.
  private var ordered: [Sample] {
    func precedes(_ a: Sample, _ b: Sample) -> Bool { (a.cpu, a.timeMicroseconds) < (b.cpu, b.timeMicroseconds) }
    let isOrdered = !zip(samples, samples.dropFirst()).contains { precedes($1, $0) }
    // The standard library's sort is stable.
    return isOrdered ? samples : samples.sorted(by: precedes)
  }

  public func encode(into writer: inout ByteWriter) {
    let samples = ordered
    writer.number(UInt64(samples.count))
    guard let first = samples.first else { return }
    // CPUs and how many samples each has.
    var groups: [(cpu: UInt32, count: Int)] = []
    for sample in samples {
      if let last = groups.last, last.cpu == sample.cpu {
        groups[groups.count - 1].count += 1
      } else {
        groups.append((sample.cpu, 1))
      }
    }
    writer.number(UInt64(groups.count))
    for group in groups {
      writer.number(group.cpu)
      writer.number(UInt64(group.count))
    }
    // Times: what is left when the usual distance is taken away.
    let period = Self.usualDistance(samples)
    writer.number(first.timeMicroseconds)
    writer.number(period)
    var times: [UInt64] = []
    times.reserveCapacity(samples.count)
    var last = first
    for sample in samples {
      let isNewGroup = sample.cpu != last.cpu
      let expected = times.isEmpty || isNewGroup ? first.timeMicroseconds : last.timeMicroseconds &+ period
      times.append(ColumnCodec.zigzag(sample.timeMicroseconds &- expected))
      last = sample
    }
    ColumnCodec.encode(times, trying: [.plain], into: &writer)
    func column(_ modes: [ColumnCodec.Mode], _ value: (Sample) -> UInt64) {
      ColumnCodec.encode(samples.map(value), trying: modes, into: &writer)
    }
    column([.plain, .delta]) { UInt64($0.thread.rawValue) }
    column([.plain, .delta, .newestFirst]) { UInt64($0.userStack.rawValue) }
    column([.plain, .delta, .newestFirst]) { UInt64($0.kernelStack.rawValue) }
    column([.plain]) { UInt64($0.event.rawValue) }
    column([.plain]) { $0.weight }
    column([.plain]) { UInt64($0.result) }
  }

  /// The median distance in time of neighbours on one CPU, in microseconds.
  private static func usualDistance(_ samples: [Sample]) -> UInt64 {
    var distances: [UInt64] = []
    distances.reserveCapacity(samples.count)
    for (one, next) in zip(samples, samples.dropFirst()) where one.cpu == next.cpu {
      distances.append(next.timeMicroseconds &- one.timeMicroseconds)
    }
    distances.sort()
    return distances.isEmpty ? 0 : distances[distances.count / 2]
  }

  public init(from cursor: inout ByteCursor) throws(MalformedInput) {
    samples = []
    let start = cursor.offset
    let total = try cursor.uleb128("samples.count")
    guard total <= UInt64(Limits.samplesPerFrame) else {
      throw ByteCursor.over("samples.count", start, total, Limits.samplesPerFrame)
    }
    let count = Int(total)
    guard count > 0 else { return }
    var groups: [(cpu: UInt32, count: Int)] = []
    var covered = 0
    for _ in 0..<(try cursor.count("samples.group_count")) {
      let cpu: UInt32 = try cursor.number("samples.cpu")
      let size = try cursor.uleb128("samples.group_size")
      guard size <= UInt64(count - covered) else {
        throw ByteCursor.over("samples.group_size", cursor.offset, size, count - covered)
      }
      covered += Int(size)
      groups.append((cpu, Int(size)))
    }
    guard covered == count else {
      throw MalformedInput(
        field: "samples.group_size", offset: FileOffset(UInt64(cursor.offset)),
        problem: .inconsistent("covers \(covered) of \(count) samples"))
    }
    let base = try cursor.uleb128("samples.base_time")
    let period = try cursor.uleb128("samples.period")
    let times = try ColumnCodec.decode(count, "samples.times", from: &cursor)
    let threads = try ColumnCodec.decode(count, "samples.threads", from: &cursor)
    let userStacks = try ColumnCodec.decode(count, "samples.user_stacks", from: &cursor)
    let kernelStacks = try ColumnCodec.decode(count, "samples.kernel_stacks", from: &cursor)
    let events = try ColumnCodec.decode(count, "samples.events", from: &cursor)
    let weights = try ColumnCodec.decode(count, "samples.weights", from: &cursor)
    let results = try ColumnCodec.decode(count, "samples.results", from: &cursor)
    samples.reserveCapacity(count)
    var index = 0
    for group in groups {
      var expected = base
      for _ in 0..<group.count {
        let time = expected &+ ColumnCodec.unzigzag(times[index])
        expected = time &+ period
        // Handles above 32 bits are damage that a checksum missed: they become handles that name nothing.
        samples.append(
          Sample(
            cpu: group.cpu, timeMicroseconds: time, thread: ThreadHandle(UInt32(clamping: threads[index])),
            userStack: StackHandle(UInt32(clamping: userStacks[index])),
            kernelStack: StackHandle(UInt32(clamping: kernelStacks[index])),
            event: EventHandle(UInt32(clamping: events[index])), weight: weights[index],
            result: UInt8(clamping: results[index])))
        index += 1
      }
    }
  }

  public func halves() -> (Self, Self)? {
    guard samples.count > 1 else { return nil }
    let all = ordered
    let middle = all.count / 2
    return (Self(samples: Array(all[..<middle])), Self(samples: Array(all[middle...])))
  }
}
