import JFR

/// The stacks of a JVM's last chunk, under its keys. An event that began before its chunk did may name a stack that only the
/// chunk before has; the JVM gives a key to one stack only, for as long as it lives. The JDK's own reader looks there too.
struct EarlierStacks {
  /// The recording's number of a stack.
  private(set) var stacks: [Int64: UInt32] = [:]
  private var endNanoseconds: Int64 = .min
  private var ticksPerSecond: Int64 = 0

  static let maximum = 1 << 18
  /// A chunk begins where the one before ended.
  private static let toleranceNanoseconds: UInt64 = 100_000_000

  init() {}

  /// - Parameter header: of the chunk whose stacks these are.
  init(_ stacks: [Int64: UInt32], of header: ChunkHeader) {
    self.stacks = stacks
    endNanoseconds = header.startNanoseconds &+ max(0, header.durationNanoseconds)
    ticksPerSecond = header.ticksPerSecond
  }

  /// Whether `header`'s chunk is the next one of the same JVM, as far as its clock tells.
  func isContinued(by header: ChunkHeader) -> Bool {
    let (distance, overflow) = header.startNanoseconds.subtractingReportingOverflow(endNanoseconds)
    return !overflow && distance.magnitude <= Self.toleranceNanoseconds && header.ticksPerSecond == ticksPerSecond
  }
}
