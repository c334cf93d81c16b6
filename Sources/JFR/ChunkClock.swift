/// Turns a chunk's ticks into nanoseconds. Never traps: numbers come from a file.
package struct ChunkClock: Hashable, Sendable {
  private let startNanoseconds: Int64
  private let startTicks: Int64
  private let ticksPerSecond: UInt64

  package init(_ header: ChunkHeader) {
    startNanoseconds = header.startNanoseconds
    startTicks = header.startTicks
    // A frequency of 0 or less says nothing; most clocks count nanoseconds.
    ticksPerSecond = header.ticksPerSecond > 0 ? UInt64(header.ticksPerSecond) : 1_000_000_000
  }

  /// The length of `ticks`, 0 for a negative one; at most the largest number.
  package func nanoseconds(ticks: Int64) -> Int64 {
    guard ticks > 0 else { return 0 }
    return Int64(clamping: scaled(UInt64(ticks)))
  }

  /// Nanoseconds since 1970 of a moment counted in ticks.
  package func unixNanoseconds(ticks: Int64) -> Int64 {
    let (since, overflow) = ticks.subtractingReportingOverflow(startTicks)
    guard !overflow else { return startNanoseconds }
    let length = Int64(clamping: scaled(since.magnitude))
    return since < 0 ? startNanoseconds &- length : startNanoseconds &+ length
  }

  private func scaled(_ ticks: UInt64) -> UInt64 {
    if ticksPerSecond == 1_000_000_000 { return ticks }
    let product = ticks.multipliedFullWidth(by: 1_000_000_000)
    // The quotient has 64 bits only below this.
    guard product.high < ticksPerSecond else { return .max }
    return ticksPerSecond.dividingFullWidth(product).quotient
  }
}
