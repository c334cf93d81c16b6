import Base
import CRecorderABI
import CUnwind

/// What the sampler's unwinder found when it was run in this process.
struct HostUnwinding {
  /// Innermost first.
  var frames: [UInt64]
  var result: UInt8
  var guesses: UInt8
  var guessReason: UInt8
  var firstGuess: UInt16
  /// Where it ended.
  var state: pyrorec_unwind_state

  static let maximumFrames = Int(PYROREC_MAX_USER_WORDS)

  /// An interpreter whose frames are looked for, in memory that was read before.
  struct Interpreter {
    var process: pyrorec_python_process
    var memory: RecordedMemory
    /// What `pthread_self()` was.
    var threadPointer: UInt64
  }

  /// Goes on from `state`, the caller of `frames`.
  ///
  /// - Parameters:
  ///   - mappings: which of the arrays' mappings are the address space.
  ///   - stack: memory from `state.sp` rounded down to 8.
  ///   - process: its code is looked at in a scan for return addresses; 0 for nowhere.
  ///   - isStanding: whether what is not in `stack` can be read from the process, because it does not run.
  init(
    from state: pyrorec_unwind_state, after frames: [UInt64], in arrays: UnwindArrays, mappings: Range<Int>, stack: [UInt8],
    process: UInt32, isStanding: Bool = false, interpreter: Interpreter? = nil
  ) {
    var state = state
    var buffer = [UInt64](repeating: 0, count: Self.maximumFrames)
    let before = min(frames.count, Self.maximumFrames)
    for index in 0..<before { buffer[index] = frames[index] }
    var found = pyrorec_host_frames()
    found.count = UInt32(before)
    precondition(mappings.lowerBound >= 0 && mappings.upperBound <= UnwindArrays.mappingCapacity)
    // Safe: every pointer is used during the call only, with the number of elements it has; `frames` has as many as the header asks for.
    unsafe stack.withUnsafeBufferPointer { stack in
      unsafe buffer.withUnsafeMutableBufferPointer { buffer in
        var memory = unsafe pyrorec_host_memory()
        unsafe memory.chunks = UnsafeRawPointer(arrays.rows.baseAddress)?.assumingMemoryBound(to: pyrorec_unwind_chunk.self)
        unsafe memory.chunk_count = UInt64(arrays.rows.count / UnwindArrays.chunkRows)
        unsafe memory.pages = UnsafePointer(arrays.pages.baseAddress)
        unsafe memory.touched = arrays.touched.baseAddress
        unsafe memory.page_count = UInt64(arrays.pages.count)
        unsafe memory.rules = UnsafePointer(arrays.rules.baseAddress)
        unsafe memory.rule_count = UInt64(arrays.rules.count)
        unsafe memory.mappings = arrays.mappings.baseAddress.map { unsafe UnsafePointer($0 + mappings.lowerBound) }
        unsafe memory.mapping_count = UInt64(mappings.count)
        unsafe memory.stack = stack.baseAddress
        unsafe memory.stack_address = state.sp & ~7
        unsafe memory.stack_bytes = UInt64(stack.count)
        unsafe memory.process = Int32(truncatingIfNeeded: process)
        unsafe memory.is_standing = isStanding ? 1 : 0
        guard var interpreter else {
          unsafe pyrorec_unwind_on_host(&memory, &state, buffer.baseAddress, &found)
          return
        }
        let bytes = interpreter.memory.regions.flatMap(\.bytes)
        unsafe bytes.withUnsafeBufferPointer { bytes in
          var regions: [pyrorec_host_region] = unsafe []
          var offset = 0
          for region in interpreter.memory.regions {
            unsafe regions.append(
              pyrorec_host_region(
                address: region.start, bytes: bytes.baseAddress.map { unsafe $0 + offset }, count: UInt64(region.bytes.count)))
            offset += region.bytes.count
          }
          unsafe regions.withUnsafeBufferPointer { regions in
            unsafe withUnsafePointer(to: &interpreter.process) { python in
              unsafe memory.python = python
              unsafe memory.regions = regions.baseAddress
              unsafe memory.region_count = UInt64(regions.count)
              unsafe memory.thread_pointer = interpreter.threadPointer
              unsafe pyrorec_unwind_on_host(&memory, &state, buffer.baseAddress, &found)
            }
          }
        }
      }
    }
    self.frames = Array(buffer.prefix(Int(found.count)))
    result = found.result
    guesses = found.guesses
    guessReason = found.guess_reason
    firstGuess = found.first_guess
    self.state = found.state
  }
}
