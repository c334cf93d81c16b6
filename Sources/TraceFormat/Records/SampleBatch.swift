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
    func isOrdered(_ samples: [Sample]) -> Bool { !zip(samples, samples.dropFirst()).contains { precedes($1, $0) } }
    if isOrdered(samples) { return samples }
    // Each CPU's samples mostly come in order of time, so that gathering them by CPU is all there is to do.
    let highest = samples.reduce(0) { max($0, $1.cpu) }
    guard highest < 4096 else { return samples.sorted(by: precedes) }
    var places = [Int](repeating: 0, count: Int(highest) + 2)
    for sample in samples { places[Int(sample.cpu) + 1] += 1 }
    for cpu in 1..<places.count { places[cpu] += places[cpu - 1] }
    var gathered = samples
    for sample in samples {
      gathered[places[Int(sample.cpu)]] = sample
      places[Int(sample.cpu)] += 1
    }
    // The standard library's sort is stable.
    return isOrdered(gathered) ? gathered : gathered.sorted(by: precedes)
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
    let period = Self.usualDistance(samples)
    let olderStacks = Self.olderStacks(samples)
    writer.number(first.timeMicroseconds)
    writer.number(period)
    writer.number(olderStacks)
    var columns = SampleColumns(baseTime: first.timeMicroseconds, period: period, olderStacks: olderStacks)
    var coder = RangeEncoder(capacity: samples.count * 4)
    var index = 0
    for group in groups {
      for place in 0..<group.count {
        _ = columns.code(samples[index], cpu: group.cpu, isFirst: place == 0, &coder)
        index += 1
      }
    }
    writer.lengthPrefixed(coder.finish())
  }

  /// The highest stack below the unbroken row of stacks that ends with the highest of all: those are most likely new.
  private static func olderStacks(_ samples: [Sample]) -> UInt64 {
    let highest = samples.reduce(0) { max($0, $1.userStack.rawValue, $1.kernelStack.rawValue) }
    guard highest > 0 else { return 0 }
    // The row is at most as long as all columns together.
    var isThere = [Bool](repeating: false, count: samples.count * 2 + 1)
    for sample in samples {
      for handle in [sample.userStack.rawValue, sample.kernelStack.rawValue] where handle > 0 {
        let back = Int(highest - handle)
        if back < isThere.count { isThere[back] = true }
      }
    }
    return UInt64(highest) - UInt64(isThere.firstIndex(of: false) ?? isThere.count)
  }

  /// The median distance in time of some neighbours on one CPU, in microseconds.
  private static func usualDistance(_ samples: [Sample]) -> UInt64 {
    var distances: [UInt64] = []
    for index in stride(from: 1, to: samples.count, by: samples.count / 256 + 1) {
      let (one, next) = (samples[index - 1], samples[index])
      if one.cpu == next.cpu { distances.append(next.timeMicroseconds &- one.timeMicroseconds) }
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
    let olderStacks = try cursor.uleb128("samples.older_stacks")
    let length = try cursor.uleb128("samples.columns")
    var coder = RangeDecoder(try cursor.take(length, "samples.columns").copied())
    var columns = SampleColumns(baseTime: base, period: period, olderStacks: olderStacks)
    let nothing = Sample(
      cpu: 0, timeMicroseconds: 0, thread: ThreadHandle(0), userStack: .empty, kernelStack: .empty, event: EventHandle(0),
      weight: 0, result: 0)
    samples.reserveCapacity(count)
    for group in groups {
      for place in 0..<group.count where !coder.isOverrun {
        samples.append(columns.code(nothing, cpu: group.cpu, isFirst: place == 0, &coder))
      }
    }
    guard !coder.isOverrun, coder.isAtEnd else {
      throw MalformedInput(
        field: "samples.columns", offset: FileOffset(UInt64(start)),
        problem: .inconsistent("does not hold \(count) samples"))
    }
  }

  /// How many samples the batch at `cursor` says it has: known before any of them is read.
  static func announcedCount(_ cursor: ByteCursor) throws(MalformedInput) -> UInt64 {
    var cursor = cursor
    return try cursor.uleb128("samples.count")
  }

  public func halves() -> (Self, Self)? {
    guard samples.count > 1 else { return nil }
    let all = ordered
    let middle = all.count / 2
    return (Self(samples: Array(all[..<middle])), Self(samples: Array(all[middle...])))
  }
}
