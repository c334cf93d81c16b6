import Base
import CRecorderABI
import TraceFormat
import Unwind

/// Registers and stack that a sample carries: `PYROREC_EXTRA_STACK`, `PYROREC_EXTRA_WHOLE_STACK`.
struct StackCopy {
  var state = pyrorec_unwind_state()
  /// Of the sample's frames those that had been found before `state`.
  var knownFrameCount = 0
  /// From `state.sp` rounded down to 8.
  var stack: [UInt8]

  init?(_ words: RawSpan) {
    var cursor = ByteCursor(words)
    let size = MemoryLayout<pyrorec_unwind_state>.size
    guard let bytes = try? cursor.take(size, "registers"), cursor.remaining <= Int(PYROREC_STACK_COPY_BYTES) else { return nil }
    // Safe: both are `size` bytes of plain numbers.
    unsafe withUnsafeMutableBytes(of: &state) { to in
      unsafe bytes.withUnsafeBytes { unsafe to.copyMemory(from: $0) }
    }
    guard let rest = try? cursor.take(cursor.remaining, "stack") else { return nil }
    stack = rest.copied()
  }

  /// As the trace keeps it.
  func record(of sample: Sample, in space: AddressSpaceHandle) -> StackCopyRecord {
    let isComplete = state.flags & UInt64(PYROREC_STATE_REGISTERS) != 0
    return StackCopyRecord(
      sample: sample, addressSpace: space, knownFrameCount: UInt32(clamping: knownFrameCount),
      registers: StackCopyRecord.Registers(
        pc: state.pc, sp: state.sp, fp: state.fp, lr: isComplete ? state.lr : 0,
        numbered: isComplete ? state.registers : [],
        isReturnAddress: state.flags & UInt64(PYROREC_STATE_RETURN_ADDRESS) != 0, isComplete: isComplete),
      stack: stack)
  }
}

/// A sample whose user stack is not unwound yet.
struct WaitingStack {
  var sample: Sample
  var space: AddressSpaceHandle
  var process: RecordedProcess
  /// As they were when the sample was taken.
  var mappings: MappingTable
  var copy: StackCopy
  /// Found so far.
  var frames: [UInt64]
  /// Some of them are an interpreter's, which nobody finds offline: its copy is not kept.
  var hasInterpreter: Bool
  /// Those that were there but not reached.
  var kept: HostUnwinding.Interpreter?
  /// When it is recorded with what was found.
  var deadline: UInt64
  /// What it waits for.
  var image: UnwindImage?
  var layout: UnwindLayout?

  /// Longer than building the table of a compiler takes on a busy machine.
  static let patience: UInt64 = 5_000_000_000

  init(
    sample: Sample, space: AddressSpaceHandle, process: RecordedProcess, copy: StackCopy, frames: [UInt64], now: UInt64,
    hasInterpreter: Bool = false, kept: HostUnwinding.Interpreter? = nil
  ) {
    self.sample = sample
    self.space = space
    self.process = process
    mappings = process.executable
    self.copy = copy
    self.frames = frames
    self.copy.knownFrameCount = frames.count
    self.hasInterpreter = hasInterpreter || kept != nil
    self.kept = kept
    deadline = now &+ Self.patience
  }

  /// Without any more frames than the one where it stands.
  var asItIs: FinishedStack {
    FinishedStack(
      sample: sample, space: space, mappings: mappings, frames: frames + [copy.state.pc],
      result: UInt8(PYROREC_UNWIND_TABLES_PENDING.rawValue), copy: hasInterpreter ? nil : copy)
  }

  /// The stack of a sample that was unwound in mappings that had changed meanwhile: its frames up to the first that lies
  /// in what changed, because that one's caller was looked up in the wrong place.
  static func cut(
    _ sample: Sample, space: AddressSpaceHandle, process: RecordedProcess, frames: [UInt64], _ change: RecordedProcess.Change
  ) -> FinishedStack {
    var kept = frames
    var result = sample.result
    if let index = frames.firstIndex(where: { change.begin <= $0 && $0 <= change.end }), index + 1 < frames.count {
      kept.removeLast(frames.count - index - 1)
      result = UInt8(PYROREC_UNWIND_STALE_MAPPINGS.rawValue)
    }
    return FinishedStack(sample: sample, space: space, mappings: process.executable, frames: kept, result: result)
  }
}

/// A sample with its user stack.
struct FinishedStack {
  var sample: Sample
  var space: AddressSpaceHandle
  var mappings: MappingTable
  /// Innermost first.
  var frames: [UInt64]
  var result: UInt8
  var firstGuess: FirstGuess?
  /// What it was unwound from, as far as that was looked at.
  var copy: StackCopy?
}

/// The samples that wait for tables, so that no first sample of a program is lost.
final class WaitingStacks {
  /// Samples that wait at once; above it the oldest are recorded as they are.
  static let maximumCount = 8192
  static let maximumByteCount = 64 << 20

  private let unwinder: StackUnwinder
  private var waiting: [WaitingStack] = []
  private var byteCount = 0
  private var overflow: [FinishedStack] = []

  init(_ unwinder: StackUnwinder) { self.unwinder = unwinder }

  var isEmpty: Bool { waiting.isEmpty && overflow.isEmpty }

  /// Unwinds the stack if its tables are there; keeps it otherwise.
  func take(_ stack: WaitingStack) -> FinishedStack? {
    var stack = stack
    guard let layout = unwinder.layout(of: stack.process) else { return stack.asItIs }
    stack.layout = layout
    if let finished = attempt(&stack) { return finished }
    waiting.append(stack)
    byteCount += stack.copy.stack.count
    while waiting.count > Self.maximumCount || byteCount > Self.maximumByteCount {
      let oldest = waiting.removeFirst()
      byteCount -= oldest.copy.stack.count
      overflow.append(oldest.asItIs)
    }
    return nil
  }

  /// Those that can be unwound now, and those that waited too long.
  func takeFinished(now: UInt64) -> [FinishedStack] {
    var finished = overflow
    overflow = []
    var still: [WaitingStack] = []
    for var stack in waiting {
      let isReady =
        stack.image.map { if case .ordered = $0.state { false } else if case .waiting = $0.state { false } else { true } } ?? true
      if isReady, let done = attempt(&stack) {
        finished.append(done)
      } else if now >= stack.deadline {
        finished.append(stack.asItIs)
      } else {
        still.append(stack)
        continue
      }
      byteCount -= stack.copy.stack.count
    }
    waiting = still
    return finished
  }

  private func attempt(_ stack: inout WaitingStack) -> FinishedStack? {
    guard let layout = stack.layout else { return stack.asItIs }
    let pid = stack.process.exitedAt == nil ? stack.process.pid : 0
    switch unwinder.unwind(
      stack.copy.state, after: stack.frames, in: layout, stack: stack.copy.stack, process: pid,
      interpreter: stack.kept)
    {
    case .done(let found):
      var copy = stack.copy
      copy.stack.removeLast(max(copy.stack.count - found.stackByteCount, 0))
      return FinishedStack(
        sample: stack.sample, space: stack.space, mappings: stack.mappings,
        frames: stack.kept == nil ? found.frames : InterpreterWord.joined(found.frames), result: found.result,
        firstGuess: FirstGuess(guesses: found.guesses, reason: found.guessReason, frame: found.firstGuess),
        copy: stack.hasInterpreter ? nil : copy)
    case .wait(_, let image):
      stack.image = image
      return nil
    }
  }
}
