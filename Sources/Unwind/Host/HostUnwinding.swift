package import Base
package import CRecorderABI
import CUnwind
package import ObjectFile

/// What the sampler's unwinder found when it was run in this process.
package struct HostUnwinding {
  /// Innermost first.
  package var frames: [UInt64]
  package var result: UInt8
  package var guesses: UInt8
  package var guessReason: UInt8
  package var firstGuess: UInt16
  /// Of the stack, up to the end of the last word that was looked at.
  package var stackByteCount: Int
  /// Where it ended.
  package var state: pyrorec_unwind_state

  package static let maximumFrames = Int(PYROREC_MAX_USER_WORDS)

  /// An interpreter whose frames are looked for, in memory that was read before.
  package struct Interpreter {
    package var process: pyrorec_python_process
    package var memory: RecordedMemory
    /// What `pthread_self()` was.
    package var threadPointer: UInt64
    /// Or its frames as the sampler kept them, innermost first, two words each: the address (`PYROREC_KEPT_ENTRY`), and the one
    /// that stands for the frame among the others, 0 where it runs no code.
    package var kept: [UInt64] = []
    /// Of the innermost call, on its stack (3.11, 3.12); 0 for none.
    package var keptStructure: UInt64 = 0
    package init(process: pyrorec_python_process, memory: RecordedMemory, threadPointer: UInt64) {
      self.process = process
      self.memory = memory
      self.threadPointer = threadPointer
    }
  }

  /// Goes on from `state`, the caller of `frames`.
  ///
  /// - Parameters:
  ///   - mappings: which of the arrays' mappings are the address space.
  ///   - stack: memory from `state.sp` rounded down to 8.
  ///   - machine: whose rules they are.
  ///   - process: its code is looked at in a scan for return addresses; 0 for nowhere.
  ///   - isStanding: whether what is not in `stack` can be read from the process, because it does not run.
  package init(
    from state: pyrorec_unwind_state, after frames: [UInt64], in arrays: UnwindArrays, mappings: Range<Int>, stack: [UInt8],
    machine: ElfMachine = .own, process: UInt32, isStanding: Bool = false, interpreter: Interpreter? = nil
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
        unsafe memory.chunk_count = UInt64(arrays.reachableRows / UnwindArrays.chunkRows)
        unsafe memory.pages = arrays.pages.baseAddress
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
          unsafe Self.run(machine, &memory, &state, buffer.baseAddress, &found)
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
              unsafe interpreter.kept.withUnsafeBufferPointer { kept in
                unsafe memory.kept = kept.baseAddress
                unsafe memory.kept_count = UInt64(kept.count / 2)
                unsafe memory.kept_cframe = interpreter.keptStructure
                unsafe Self.run(machine, &memory, &state, buffer.baseAddress, &found)
              }
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
    stackByteCount = Int(clamping: found.stack_used)
    self.state = found.state
  }

  private static func run(
    _ machine: ElfMachine, _ memory: UnsafePointer<pyrorec_host_memory>, _ state: UnsafePointer<pyrorec_unwind_state>,
    _ frames: UnsafeMutablePointer<UInt64>?, _ found: UnsafeMutablePointer<pyrorec_host_frames>
  ) {
    // Safe: as where they come from.
    if machine == .aarch64 {
      unsafe pyrorec_unwind_arm64(memory, state, frames, found)
    } else {
      unsafe pyrorec_unwind_x86(memory, state, frames, found)
    }
  }
}

extension ElfMachine {
  /// The machine this program was built for.
  package static var own: Self {
    #if arch(arm64)
      .aarch64
    #else
      .x86_64
    #endif
  }
}
