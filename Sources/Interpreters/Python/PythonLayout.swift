/// Where in CPython's structures what is read of them lies, in bytes. One a minor version: they do not change within one.
package struct PythonLayout: Hashable, Sendable {
  /// How the frames of one call of the evaluation function end (`enum pyrorec_python_style`).
  package enum Style: UInt16, Sendable {
    case frameACall = 0
    case entryFlag = 1
    case entryFrame = 2
  }
  package struct Thread: Hashable, Sendable {
    var next = 8
    var id: Int
    /// The frame itself, or a `_PyCFrame` that has it at `cframeCurrent`.
    var frame: Int?
    var cframe: Int?
    var cframeCurrent = 0
  }
  package struct Frame: Hashable, Sendable {
    var code: Int
    var previous: Int
    var instruction: Int
    /// `is_entry` (3.11), `owner`.
    var entry: Int?
    var entryOwner: UInt8 = 3
    var byteCount: Int
  }
  package struct Code: Hashable, Sendable {
    var file: Int
    var name: Int
    var qualifiedName: Int?
    var lineTable: Int
    var firstLine: Int
    /// Where the instructions begin, where a frame points to one; `nil` where it numbers them.
    var instructions: Int?
    package var byteCount: Int
    /// Words that never change while the object lives, and hardly are the same in another one.
    var cookie: [Int]
    /// Whether what the name and the file say belongs to the cookie: pointers can come again in the same places.
    var cookieHasTexts: Bool
    /// 32 bits that no other code object has.
    var version: Int?
  }
  package struct Text: Hashable, Sendable {
    var length = 16
    var hash = 24
    var state = 32
    /// Bit of the state where `kind` begins: 3 bits, then `compact`, then `ascii`.
    var kindBit = 2
    var ascii: Int
    var compact: Int
  }

  package var version: PythonVersion
  package var style: Style
  /// From `_PyRuntime` to the pointer to the first interpreter state.
  package var runtimeHead: Int
  package var interpreterNext: Int
  package var interpreterThreads: Int
  package var thread: Thread
  package var frame: Frame
  /// Shifts a frame's number of the instruction to units of two bytes.
  package var instructionShift = 0
  package var code: Code
  package var text: Text
  package var bytesSize = 16
  package var bytesData = 32
  /// Of any object: its type.
  package var objectType = 8
  package var lines: PythonLineFormat
  package var isFreeThreaded = false

  /// Read from the DWARF of a build of each version; `fixtures/programs/python/offsets.py` prints them.
  package static func table(_ version: PythonVersion) -> PythonLayout? {
    guard version.major == 3 else { return nil }
    switch version.minor {
    case 6:
      return old(version, head: 0, threadID: 152, lasti: 120, codeShift: 0)
    case 7:
      return old(version, head: 24, threadID: 176, lasti: 104, codeShift: 0)
    case 8, 9:
      return old(version, head: 32, threadID: 176, lasti: 104, codeShift: 8)
    case 10:
      var layout = old(version, head: 32, threadID: 176, lasti: 96, codeShift: 8)
      layout.instructionShift = 0
      layout.lines = .pairs
      return layout
    case 11:
      return PythonLayout(
        version: version, style: .entryFlag, runtimeHead: 40, interpreterNext: 0, interpreterThreads: 16,
        thread: Thread(id: 152, cframe: 56, cframeCurrent: 8),
        frame: Frame(code: 32, previous: 48, instruction: 56, entry: 68, byteCount: 72),
        code: Code(
          file: 112, name: 120, qualifiedName: 128, lineTable: 136, firstLine: 72, instructions: 184, byteCount: 192,
          cookie: [72, 96, 112, 120, 128, 136], cookieHasTexts: true),
        text: Text(ascii: 48, compact: 72), lines: .locations)
    case 12:
      return PythonLayout(
        version: version, style: .entryFrame, runtimeHead: 40, interpreterNext: 0, interpreterThreads: 72,
        thread: Thread(id: 136, cframe: 56, cframeCurrent: 0),
        frame: Frame(code: 0, previous: 8, instruction: 56, entry: 70, byteCount: 72),
        code: Code(
          file: 112, name: 120, qualifiedName: 128, lineTable: 136, firstLine: 68, instructions: 192, byteCount: 200,
          // Its version, in the last one, is no other's.
          cookie: [24, 32, 64, 88], cookieHasTexts: false, version: 92),
        text: Text(ascii: 40, compact: 56), lines: .locations)
    default:
      return nil
    }
  }

  private static func old(_ version: PythonVersion, head: Int, threadID: Int, lasti: Int, codeShift: Int) -> PythonLayout {
    PythonLayout(
      version: version, style: .frameACall, runtimeHead: head, interpreterNext: 0, interpreterThreads: 8,
      thread: Thread(id: threadID, frame: 24),
      frame: Frame(code: 32, previous: 24, instruction: lasti, byteCount: lasti + 8), instructionShift: 1,
      code: Code(
        file: 96 + codeShift, name: 104 + codeShift, lineTable: 112 + codeShift, firstLine: codeShift == 0 ? 36 : 40,
        byteCount: 128 + codeShift,
        cookie: [codeShift == 0 ? 32 : 40, 48 + codeShift, 56 + codeShift, 96 + codeShift, 104 + codeShift, 112 + codeShift],
        cookieHasTexts: true),
      text: Text(ascii: 48, compact: 72), lines: .signedPairs)
  }

  /// A build with `Py_TRACE_REFS` puts two pointers before every object's head; structures that are no objects stay as they are.
  package mutating func shiftObjects(by count: Int) {
    frame.code += style == .frameACall ? count : 0
    frame.previous += style == .frameACall ? count : 0
    frame.instruction += style == .frameACall ? count : 0
    frame.byteCount += style == .frameACall ? count : 0
    code.file += count
    code.name += count
    code.qualifiedName = code.qualifiedName.map { $0 + count }
    code.lineTable += count
    code.firstLine += count
    code.instructions = code.instructions.map { $0 + count }
    code.byteCount += count
    code.cookie = code.cookie.map { $0 + count }
    code.version = code.version.map { $0 + count }
    text.length += count
    text.hash += count
    text.state += count
    text.ascii += count
    text.compact += count
    bytesSize += count
    bytesData += count
    objectType += count
  }
}
