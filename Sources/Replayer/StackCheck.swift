import TraceFormat

/// What came of unwinding a trace's stack copies again, in words.
package struct StackCheck: Sendable {
  /// Differences that are shown one by one.
  static let maximumShown = 8

  package private(set) var counts: [StackCopies.Outcome: Int] = [:]
  package private(set) var differences: [String] = []

  package init() {}

  package mutating func note(_ unwound: StackCopies.Unwound) {
    counts[unwound.outcome, default: 0] += 1
    guard unwound.outcome == .different, differences.count < Self.maximumShown else { return }
    func frames(_ addresses: [UInt64], _ result: UInt8) -> String {
      let shown = addresses.prefix(64).map { "0x" + String($0, radix: 16) }.joined(separator: " ")
      return "\(addresses.count) frames, \(UnwindResult(rawValue: result)?.name ?? "result \(result)"): \(shown)"
    }
    let sample = unwound.record.sample
    differences.append(
      """
      the sample of thread \(sample.thread) at \(sample.timeMicroseconds) us has other frames when it is unwound again
        recorded \(frames(unwound.recorded, sample.result))
        found    \(frames(unwound.found, unwound.result))
      """)
  }

  package var hasDifferences: Bool { counts[.different] != nil }

  /// One line; `nil` for a trace without copies.
  package var summary: String? {
    let all = counts.values.reduce(0, +)
    guard all > 0 else { return nil }
    let words: [(StackCopies.Outcome, String)] = [
      (.asRecorded, "as recorded"), (.completed, "completed"), (.cut, "as recorded up to the end of the copy"),
      (.sameByGuess, "the same by guesses"), (.withoutCode, "in need of code that is not in the copies"),
      (.withoutImage, "without a copy of an image"), (.lost, "lost"),
      (.different, "different"),
    ]
    let parts = words.compactMap { outcome, text in counts[outcome].map { "\($0) \(text)" } }
    return "\(all) stacks unwound again: \(parts.joined(separator: ", "))"
  }
}
