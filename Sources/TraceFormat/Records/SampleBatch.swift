/// One kind of event that samples are taken on.
public struct EventRecord: Hashable, Sendable {
  public var handle: EventHandle
  /// perf's word: `cpu-clock`, `cycles`.
  public var name: String
  /// What one sample stands for: `cpu` in `nanoseconds`.
  public var type: String
  public var unit: String
  /// Samples a second asked for on each CPU; 0 when a period was asked for.
  public var frequencyHertz: UInt64
  /// What a weight of 1 is worth in `unit`.
  public var period: UInt64
  public init(handle: EventHandle, name: String, type: String, unit: String, frequencyHertz: UInt64, period: UInt64) {
    self.handle = handle
    self.name = name
    self.type = type
    self.unit = unit
    self.frequencyHertz = frequencyHertz
    self.period = period
  }
}

/// How the user stack of a sample was found and whether it is whole. The values of the ABI header's enum.
public enum UnwindResult: UInt8, Hashable, Sendable, CaseIterable {
  /// Every frame up to the outermost one, by unwind tables; or there is no user stack to walk (a kernel thread).
  case complete = 0
  /// The kernel's walk along frame pointers: where code keeps none, callers are missing.
  case framePointers = 1
  case truncatedByDepth = 2
  /// Not a byte of the user stack could be read (the process is exiting, or its stack is not in memory).
  case readFault = 3
  case tablesPending = 4
  case noMapping = 5
  case noRow = 6
  case unsupportedRule = 7
  case guessed = 8
  case compat32 = 9
  /// The sampler had no user registers.
  case noRegisters = 10

  /// The word in reports and in the keys of `inspect --format json`.
  public var name: String {
    switch self {
    case .complete: "complete"
    case .framePointers: "frame_pointers"
    case .truncatedByDepth: "truncated_by_depth"
    case .readFault: "read_fault"
    case .tablesPending: "tables_pending"
    case .noMapping: "no_mapping"
    case .noRow: "no_row"
    case .unsupportedRule: "unsupported_rule"
    case .guessed: "guessed"
    case .compat32: "compat32"
    case .noRegisters: "no_registers"
    }
  }
}

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
