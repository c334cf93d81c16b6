import CRecorderABI
import Interpreters
import TraceFormat

/// An interpreter's frame as one word among the addresses of a stack: bit 63, the interpreter's space in bits 56 to 62, below
/// it the place. No user address has bit 63, but for the vsyscall page's, which have all bits above.
enum InterpreterWord {
  static func make(_ interpreter: InterpreterKind, _ place: InterpreterPlace) -> UInt64 {
    mark | UInt64(interpreter.rawValue) << UInt64(PYROREC_FRAME_SPACE_BIT) | place.packed
  }

  static func parse(_ word: UInt64) -> (space: StackNode.Space, place: InterpreterPlace)? {
    guard word & mark != 0 else { return nil }
    let space = UInt8(truncatingIfNeeded: word >> UInt64(PYROREC_FRAME_SPACE_BIT)) & 0x7f
    guard space >= StackNode.Space.firstInterpreter.rawValue, space < 0x7f else { return nil }
    return (StackNode.Space(space), InterpreterPlace(packed: word))
  }

  /// What the unwinder says in two words, a reason, as one; frames are one already.
  static func joined(_ frames: [UInt64]) -> [UInt64] {
    var joined: [UInt64] = []
    var index = 0
    while index < frames.count {
      let word = frames[index]
      index += 1
      if let (_, place) = parse(word), place.packed == 0, index < frames.count {
        joined.append(word | frames[index] & InterpreterPlace.mask)
        index += 1
      } else {
        joined.append(word)
      }
    }
    return joined
  }

  private static let mark: UInt64 = 1 << 63
}
