import CRecorderABI

/// The interpreters whose frames are known: the list that the ABI's enum, the trace's node spaces and reports share.
package enum InterpreterKind: UInt8, Hashable, Sendable, CaseIterable {
  case python = 16

  /// The word in reports and in the names of frames that have none.
  package var name: String {
    switch self {
    case .python: "python"
    }
  }
}

/// Why an interpreter's frame is missing or has no name. Raw values are written into traces and never change; those below 64
/// are the sampler's (`enum pyrorec_interpreter_failure`), which left the native frames in place.
package enum InterpreterFailure: UInt8, Hashable, Sendable, CaseIterable {
  case noThread = 1
  case unreadable = 2
  case noCode = 3
  case limit = 4
  /// The process was gone, or its memory, before the code was read.
  case codeGone = 64
  /// Something else lies where the code was.
  case codeReplaced = 65
  case codeMalformed = 66
  case tooMuchCode = 67
  /// Nobody could read: a replay of a tape.
  case notRead = 68

  /// Whether the interpreter's frames are missing, and the native ones are there instead.
  package var leavesNativeFrames: Bool { rawValue < 64 }

  package var name: String {
    switch self {
    case .noThread: "no_thread_state"
    case .unreadable: "unreadable"
    case .noCode: "no_code_object"
    case .limit: "over_limit"
    case .codeGone: "code_gone"
    case .codeReplaced: "code_replaced"
    case .codeMalformed: "code_malformed"
    case .tooMuchCode: "too_much_code"
    case .notRead: "not_read"
    }
  }
}

/// A place in an interpreter's code, as stack nodes name it: handle and instruction in one number.
package struct InterpreterPlace: Hashable, Sendable {
  /// Of the code, in the trace; 0 with a failure as `instruction`.
  package var code: UInt32
  /// What it counts is the interpreter's to say; `unknownInstruction` for none.
  package var instruction: UInt32

  package static let bits: UInt64 = UInt64(PYROREC_INSTRUCTION_BITS)
  package static let mask: UInt64 = (1 << bits) - 1
  package static let unknownInstruction = UInt32(truncatingIfNeeded: mask)
  /// Codes of one trace.
  package static let maximumCode: UInt32 = (1 << 28) - 1

  package init(code: UInt32, instruction: UInt32) {
    self.code = code
    self.instruction = instruction
  }
  package init(packed: UInt64) {
    code = UInt32(truncatingIfNeeded: packed >> Self.bits & Self.mask)
    instruction = UInt32(truncatingIfNeeded: packed & Self.mask)
  }
  /// Below 2^56.
  package var packed: UInt64 { UInt64(code) << Self.bits | UInt64(instruction) & Self.mask }
}
