import CRecorderABI
import TraceFormat

/// The stack copies that wait for the next flush.
struct StackCopies {
  /// Bytes of all copies together; what comes later is left out of the trace, its samples are not.
  static let maximumByteCount = 1 << 28
  /// Of those that wait.
  static let maximumPendingByteCount = 4 << 20

  let isKept: Bool
  private var pending: [StackCopyRecord] = []
  private var pendingByteCount = 0
  private var byteCount = 0

  init(isKept: Bool) { self.isKept = isKept }

  /// Whether so many wait that they had better be written.
  var areMany: Bool { pendingByteCount >= Self.maximumPendingByteCount }

  mutating func keep(_ copy: StackCopy, of sample: Sample, in space: AddressSpaceHandle) {
    guard isKept, byteCount + copy.stack.count <= Self.maximumByteCount else { return }
    byteCount += copy.stack.count
    pendingByteCount += copy.stack.count
    pending.append(copy.record(of: sample, in: space))
  }

  mutating func take() -> [StackCopyRecord] {
    pendingByteCount = 0
    defer { pending = [] }
    return pending
  }
}

extension pyrorec_unwind_state {
  /// The general registers by number, without the zeros at the end.
  var registers: [UInt64] {
    var copy = numbered
    // Safe: a tuple of 64-bit words, read as the words it is made of.
    var values = unsafe withUnsafeBytes(of: &copy) { unsafe Array($0.bindMemory(to: UInt64.self)) }
    while values.last == 0 { values.removeLast() }
    return values
  }
}
