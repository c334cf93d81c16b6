import Base
package import CRecorderABI

/// CPython in one process: where its structures lie there.
package struct PythonProcess: Sendable {
  package let layout: PythonLayout
  /// What the sampler's unwinder is told.
  package let unwinding: pyrorec_python_process

  /// Why the frames of a process that runs CPython are not looked for.
  package enum Refusal: String, Error, Sendable {
    /// A version without a table, or whose own offsets are not what is known of them.
    case unknownVersion = "unknown_version"
  }

  /// - Parameter bias: what is added to an image address of `binary` for an address of the process.
  package init(_ binary: PythonBinary, bias: UInt64) throws(Refusal) {
    if let version = binary.version, version < PythonVersion(3, 13) {
      guard var known = PythonLayout.table(version) else { throw .unknownVersion }
      if binary.tracesReferences { known.shiftObjects(by: 16) }
      layout = known
    } else {
      guard let own = binary.ownLayout else { throw .unknownVersion }
      layout = own
    }
    unwinding = Self.unwinding(binary, bias: bias, layout)
  }

  private static func unwinding(_ binary: PythonBinary, bias: UInt64, _ layout: PythonLayout) -> pyrorec_python_process {
    func offset(_ value: Int?) -> UInt16 { value.map { UInt16(clamping: $0) } ?? UInt16(PYROREC_OFFSET_NONE) }
    func range(_ index: Int) -> (begin: UInt64, end: UInt64) {
      guard index < binary.evaluation.count else { return (0, 0) }
      return (binary.evaluation[index].start.rawValue &+ bias, binary.evaluation[index].end.rawValue &+ bias)
    }
    var process = pyrorec_python_process()
    let ranges = (range(0), range(1), range(2), range(3))
    process.begin = (ranges.0.begin, ranges.1.begin, ranges.2.begin, ranges.3.begin)
    process.end = (ranges.0.end, ranges.1.end, ranges.2.end, ranges.3.end)
    process.interpreters = binary.runtime.rawValue &+ bias &+ (binary.runtimeIsInterpreterPointer ? 0 : UInt64(layout.runtimeHead))
    process.code_type = binary.codeType.map { $0.rawValue &+ bias } ?? 0
    process.interpreter_next = UInt32(clamping: layout.interpreterNext)
    process.interpreter_threads = UInt32(clamping: layout.interpreterThreads)
    process.thread_next = offset(layout.thread.next)
    process.thread_id = offset(layout.thread.id)
    process.thread_frame = offset(layout.thread.frame)
    process.thread_cframe = offset(layout.thread.cframe)
    process.cframe_current = offset(layout.thread.cframeCurrent)
    process.frame_code = offset(layout.frame.code)
    process.frame_previous = offset(layout.frame.previous)
    process.frame_instruction = offset(layout.frame.instruction)
    process.frame_entry = offset(layout.frame.entry)
    process.entry_owner = UInt16(layout.frame.entryOwner)
    process.code_instructions = offset(layout.code.instructions)
    process.instruction_shift = UInt16(clamping: layout.instructionShift)
    process.style = layout.style.rawValue
    process.object_type = offset(layout.objectType)
    process.thread_bytes = offset(max(layout.thread.id, layout.thread.frame ?? 0, layout.thread.cframe ?? 0, layout.thread.next) + 8)
    process.frame_bytes = offset(layout.frame.byteCount)
    process.string_length = offset(layout.text.length)
    let code = CookieRange(layout)
    process.code_from = offset(code.start)
    process.code_bytes = offset(code.byteCount)
    process.code_name = offset(code.name)
    process.code_file = offset(code.file)
    process.version_mask = code.versionMask
    process.code_version = offset(code.version)
    let words = code.words.map { offset($0) }
    process.cookie_words = (words[0], words[1], words[2], words[3], words[4], words[5])
    return process
  }
}

/// What of a code object its cookie is made of. Just that is read: each line of the CPU's cache is time.
struct CookieRange {
  /// Bytes from the object's begin.
  var start: Int
  var byteCount: Int
  /// From `start` on; as many as the sampler adds up, the last one again where there are fewer, which adds nothing to what it tells.
  var words: [Int]
  /// `nil` where what they say is no part of the cookie.
  var name: Int?
  var file: Int?
  /// The word of the object that holds its version; 0 for none.
  var version: Int?
  var versionMask: UInt64 = 0

  init(_ layout: PythonLayout) {
    let code = layout.code
    var offsets = code.cookie
    if code.cookieHasTexts { offsets += [code.name, code.file] }
    start = offsets.min() ?? 0
    byteCount = (offsets.max() ?? 0) + 8 - start
    let first = start
    words = (0..<Int(PYROREC_PYTHON_COOKIE_WORDS)).map { code.cookie[min($0, code.cookie.count - 1)] - first }
    if code.cookieHasTexts {
      name = (code.qualifiedName ?? code.name) - first
      file = code.file - first
    }
    if let at = code.version {
      version = at & ~7
      versionMask = 0xffff_ffff << UInt64(at & 4 == 0 ? 0 : 32)
    }
  }
}
