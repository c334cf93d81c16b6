import Base

extension PythonLayout {
  /// The beginning of `_PyRuntime` from 3.13 on: `_Py_DebugOffsets` (Include/internal/pycore_runtime.h of 3.13,
  /// pycore_debug_offsets.h later), which says where everything lies in the very build. Groups of 64-bit numbers in a fixed order.
  package static let debugOffsetsByteCount = 1024

  /// Every offset above is a lie: the structures have 200 to 300 bytes, and the interpreter's state 200 to 300 KB.
  private static let maximumOffset: UInt64 = 4096
  private static let maximumInterpreterOffset: UInt64 = 1 << 24

  /// - Returns: `nil` when these are no such offsets, or of a version that is not known.
  package init?(debugOffsets bytes: [UInt8]) {
    guard bytes.count >= 24, Array(bytes[0..<8]) == Array("xdebugpy".utf8), let hex = bytes.littleEndianWord(at: 8),
      let version = PythonVersion(hexVersion: hex), version.minor >= 13, let free = bytes.littleEndianWord(at: 16)
    else { return nil }
    var at = 24
    var isPlausible = true
    func next(_ limit: UInt64 = Self.maximumOffset) -> Int {
      defer { at += 8 }
      guard let value = bytes.littleEndianWord(at: at), value <= limit else {
        isPlausible = false
        return 0
      }
      return Int(value)
    }
    func skip(_ count: Int) { at += 8 * count }

    // What was added: 3.14 has the fields of free threading, 3.15 those of its debuggers.
    let isLater = version.minor >= 14
    let isLatest = version.minor >= 15
    guard version <= PythonVersion(3, 15) else { return nil }
    skip(2)  // runtime_state.size, finalizing
    let head = next(1 << 20)
    skip(2)  // interpreter_state.size, id
    let interpreterNext = next(Self.maximumInterpreterOffset)
    let interpreterThreads = next(Self.maximumInterpreterOffset)
    skip(isLater ? 12 : 9)
    skip(2)  // thread_state.size, prev
    let threadNext = next()
    skip(1)  // interp
    let threadFrame = next()
    skip(isLatest ? 3 : 0)  // base_frame, last_profiled_frame and its number
    let threadID = next()
    skip(isLatest ? 8 : 3)  // native_thread_id, datastack_chunk, status; holds_gil … the exceptions' state
    skip(1)  // interpreter_frame.size
    let previous = next()
    let executable = next()
    let instruction = next()
    skip(1)  // localsplus
    let owner = next()
    skip(isLater ? 2 : 0)  // stackpointer, tlbc_index
    skip(1)  // code_object.size
    let file = next()
    let name = next()
    let qualifiedName = next()
    let lineTable = next()
    let firstLine = next()
    skip(3)  // argcount, localsplusnames, localspluskinds
    let instructions = next()
    skip(isLater ? 1 : 0)  // co_tlbc
    skip(1)  // pyobject.size
    let type = next()
    skip(isLatest ? 8 : 4)  // type_object
    skip(3)  // tuple_object
    skip(3)  // list_object
    skip(isLater ? 4 : 0)  // set_object
    skip(3)  // dict_object
    skip(2)  // float_object
    skip(3)  // long_object
    skip(1)  // bytes_object.size
    let bytesSize = next()
    let bytesData = next()
    skip(1)  // unicode_object.size
    let state = next()
    let length = next()
    let ascii = next()
    guard isPlausible, at <= bytes.count else { return nil }
    let words = [file, name, qualifiedName, lineTable, firstLine, instructions, owner, previous, executable, instruction]
    guard words.allSatisfy({ $0 < 256 }), threadID < 248, threadFrame < 248 else { return nil }
    self.init(
      version: version, style: .entryFrame, runtimeHead: head, interpreterNext: interpreterNext,
      interpreterThreads: interpreterThreads, thread: Thread(next: threadNext, id: threadID, frame: threadFrame),
      frame: Frame(
        code: executable, previous: previous, instruction: instruction, entry: owner,
        byteCount: max(owner + 1, instruction + 8, previous + 8, executable + 8)),
      code: Code(
        file: file, name: name, qualifiedName: qualifiedName, lineTable: lineTable, firstLine: firstLine,
        instructions: instructions, byteCount: min(instructions, 248),
        // The constants and names lie behind the head; the version, which no other code object has, 24 bytes behind the line.
        cookie: [type + 16, type + 24, firstLine & ~7, (firstLine + 24) & ~7],
        cookieHasTexts: false, version: firstLine + 24),
      text: Text(length: length, hash: length + 8, state: state, kindBit: free != 0 ? 8 : 2, ascii: ascii, compact: ascii + 16),
      bytesSize: bytesSize, bytesData: bytesData, objectType: type, lines: .locations, isFreeThreaded: free != 0)
  }
}
