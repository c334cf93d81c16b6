import Base
import CRecorderABI

/// One `struct pyrorec_sample` of the ring buffer (bpf/abi/include/pyrorec_abi.h), its words still in place.
struct SampleEvent: ~Escapable {
  let result: UInt8
  let cpu: UInt32
  let process: UInt32
  let thread: UInt32
  let event: UInt32
  let time: UInt64
  let startTime: UInt64
  let weight: UInt64
  /// Innermost first.
  let userWords: RawSpan
  /// Innermost first.
  let kernelWords: RawSpan
  /// `PYROREC_GUESS_…` bits, why the first guess was made, and which frame it was.
  let guesses: UInt8
  let guessReason: UInt8
  let firstGuess: UInt16
  /// Of the address space that the user stack was unwound in; 0 for none.
  let generation: UInt64
  /// What `words` holds behind the stacks.
  let extraKind: UInt8
  let extra: RawSpan
  /// Before that, an interpreter's frames (`PYROREC_EXTRA_FRAMES_AND_STACK`).
  let kept: RawSpan

  /// The sample at `cursor`, after its length; `nil` when it does not hold together.
  @_lifetime(copy cursor)
  init?(next cursor: inout ByteCursor) {
    do throws(MalformedInput) {
      let length: UInt32 = try cursor.read("length")
      try self.init(try cursor.take(Int(length), "sample"))
    } catch {
      return nil
    }
  }

  @_lifetime(copy bytes)
  private init(_ bytes: RawSpan) throws(MalformedInput) {
    var cursor = ByteCursor(bytes)
    let kind: UInt16 = try cursor.read("kind")
    guard kind == UInt16(PYROREC_EVENT_SAMPLE.rawValue) else {
      throw MalformedInput(field: "kind", offset: FileOffset(0), problem: .unsupported(value: UInt64(kind)))
    }
    result = try cursor.read("result")
    extraKind = try cursor.read("extra_kind")
    let userCount: UInt16 = try cursor.read("user_frames")
    let kernelCount: UInt16 = try cursor.read("kernel_frames")
    let extraCount: UInt32 = try cursor.read("extra_words")
    cpu = try cursor.read("cpu")
    process = try cursor.read("pid")
    thread = try cursor.read("tid")
    event = try cursor.read("event")
    guesses = try cursor.read("guesses")
    guessReason = try cursor.read("guess_reason")
    firstGuess = try cursor.read("first_guess")
    time = try cursor.read("time")
    startTime = try cursor.read("start_time")
    weight = try cursor.read("weight")
    generation = try cursor.read("generation")
    userWords = try cursor.take(Int(userCount) * 8, "user frames")
    kernelWords = try cursor.take(Int(kernelCount) * 8, "kernel frames")
    var rest = ByteCursor(try cursor.take(UInt64(extraCount) * 8, "extra words"))
    let keptCount = extraKind == UInt8(PYROREC_EXTRA_FRAMES_AND_STACK) ? try rest.read("kept words", as: UInt64.self) : 0
    kept = try rest.take(Int(clamping: keptCount &* 8), "kept words")
    extra = try rest.take(rest.remaining, "extra words")
  }
}

extension SampleEvent {
  /// The user stack as numbers, innermost first.
  var userFrames: [UInt64] {
    var cursor = ByteCursor(userWords)
    var frames: [UInt64] = []
    frames.reserveCapacity(userWords.byteCount / 8)
    while let word = try? cursor.read("frame", as: UInt64.self) { frames.append(word) }
    return frames
  }
}
