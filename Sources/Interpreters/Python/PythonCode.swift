package import Base
import CRecorderABI

/// What a code object says of itself: enough to name a frame and its line without the process.
package struct PythonCode: Hashable, Sendable {
  /// The qualified name where the version has one (3.11), else the name.
  package var name: String
  package var file: String
  package var firstLine: UInt32
  package var lines: PythonLineFormat
  package var lineTable: [UInt8]

  /// UTF-8 bytes of a name, and of a path; what is longer is cut.
  static let maximumNameByteCount = 1024
  static let maximumPathByteCount = 4096
  /// Of one code object; generated parsers have some 100 KB.
  static let maximumTableByteCount = 1 << 18

  /// Reads the code object at `address`.
  ///
  /// - Parameter cookie: of the object as it was when it was sampled.
  package init(
    at address: ProcessAddress, cookie: UInt64, layout: PythonLayout, codeType: UInt64, memory: some ProcessMemory
  ) throws(InterpreterFailure) {
    let code = try Self.object(at: address, cookie, layout, codeType, memory)
    func pointer(_ offset: Int) throws(InterpreterFailure) -> ProcessAddress {
      guard let word = code.littleEndianWord(at: offset) else { throw .codeMalformed }
      return ProcessAddress(word)
    }
    name = try Self.text(
      at: try pointer(layout.code.qualifiedName ?? layout.code.name), limit: Self.maximumNameByteCount, layout, memory)
    file = try Self.text(at: try pointer(layout.code.file), limit: Self.maximumPathByteCount, layout, memory)
    guard let line = code.littleEndianWord(at: layout.code.firstLine) else { throw .codeMalformed }
    firstLine = UInt32(truncatingIfNeeded: line)
    // A negative number is none.
    if firstLine > UInt32(Int32.max) { firstLine = 0 }
    lines = layout.lines
    lineTable = try Self.table(at: try pointer(layout.code.lineTable), layout, memory)
    // Whether it was the same all the time.
    _ = try Self.object(at: address, cookie, layout, codeType, memory)
  }

  private static func object(
    at address: ProcessAddress, _ cookie: UInt64, _ layout: PythonLayout, _ codeType: UInt64, _ memory: some ProcessMemory
  ) throws(InterpreterFailure) -> [UInt8] {
    guard let code = memory.bytes(at: address, layout.code.byteCount) else { throw .codeGone }
    guard codeType == 0 || code.littleEndianWord(at: layout.objectType) == codeType else { throw .codeReplaced }
    // What was freed keeps its other words for a while: the first is then 0 or a pointer. (Immortal: 2^32 - 1, or about 2^31.)
    if !layout.isFreeThreaded, layout.objectType == 8, let count = code.littleEndianWord(at: 0) {
      // From 3.14 on the upper half holds flags.
      guard UInt32(truncatingIfNeeded: count) != 0, count < 1 << 32 || layout.version >= PythonVersion(3, 14) else {
        throw .codeReplaced
      }
    }
    guard let found = Self.cookie(of: code, layout, memory) else { throw .codeGone }
    guard found == cookie else { throw .codeReplaced }
    return code
  }

  /// The same as the sampler computes (`python_full_cookie` of bpf/interpreters/python_code.h).
  package static func cookie(of code: [UInt8], _ layout: PythonLayout, _ memory: some ProcessMemory) -> UInt64? {
    let range = CookieRange(layout)
    var cookie: UInt64 = 0
    for (index, offset) in range.words.enumerated() {
      guard let word = code.littleEndianWord(at: range.start + offset) else { return nil }
      cookie &+= pyrorec_cookie_word(UInt32(index), word)
    }
    if let name = range.name, let file = range.file {
      guard let name = code.littleEndianWord(at: range.start + name), let file = code.littleEndianWord(at: range.start + file),
        let nameSum = textSum(at: name, firstWord: 8, layout, memory),
        let fileSum = textSum(at: file, firstWord: 32, layout, memory)
      else { return nil }
      cookie &+= nameSum &+ fileSum
    }
    return pyrorec_cookie(cookie)
  }

  /// What a string adds to a cookie: its length, hash, beginning and end (`python_text`).
  private static func textSum(
    at address: UInt64, firstWord: UInt32, _ layout: PythonLayout, _ memory: some ProcessMemory
  ) -> UInt64? {
    let most = UInt64(PYROREC_PYTHON_TEXT_BYTES)
    let start = ProcessAddress(address &+ UInt64(layout.text.length))
    func sum(_ text: [UInt8], _ firstWord: UInt32) -> UInt64 {
      var padded = text
      padded += [UInt8](repeating: 0, count: Int(most) - text.count)
      var sum: UInt64 = 0
      for index in 0..<UInt32(most / 8) {
        sum &+= pyrorec_cookie_word(firstWord + index, padded.littleEndianWord(at: Int(index) * 8) ?? 0)
      }
      return sum
    }
    func bytes(_ offset: UInt64, _ count: UInt64) -> [UInt8]? { memory.bytes(at: ProcessAddress(start.rawValue &+ offset), Int(count)) }
    let headCount = UInt64(PYROREC_PYTHON_TEXT_HEAD)
    guard let head = bytes(0, headCount), var length = head.littleEndianWord(at: 0), let hash = head.littleEndianWord(at: 8),
      let state = head.littleEndianWord(at: Int(PYROREC_PYTHON_TEXT_STATE))
    else { return nil }
    var found = pyrorec_cookie_word(firstWord, length) &+ pyrorec_cookie_word(firstWord + 1, hash)
    let isASCII = state & UInt64(PYROREC_PYTHON_TEXT_ASCII) != 0
    var at = headCount
    if isASCII {
      guard let text = bytes(at, min(length, most)) else { return nil }
      found &+= sum(text, firstWord + 2)
      if length <= most { return found }
    } else {
      at &+= UInt64(PYROREC_PYTHON_TEXT_OTHER)
      length = length &* (state >> UInt64(PYROREC_PYTHON_TEXT_KIND) & 7)
    }
    let count = min(length, most)
    guard let text = bytes(at &+ length &- count, count) else { return nil }
    return found &+ sum(text, firstWord + 8)
  }

  /// A string object (PEP 393): one, two or four bytes a character, in the object itself.
  static func text(
    at address: ProcessAddress, limit: Int, _ layout: PythonLayout, _ memory: some ProcessMemory
  ) throws(InterpreterFailure) -> String {
    let text = layout.text
    guard let head = memory.bytes(at: address, text.ascii), let length = head.littleEndianWord(at: text.length),
      let state = (head + [0, 0, 0, 0, 0, 0, 0, 0]).littleEndianWord(at: text.state)
    else { throw .codeGone }
    let kind = Int(state >> UInt64(text.kindBit) & 7)
    let isCompact = state >> UInt64(text.kindBit + 3) & 1 == 1
    let isASCII = state >> UInt64(text.kindBit + 4) & 1 == 1
    guard isCompact, kind == 1 || kind == 2 || kind == 4, length <= 1 << 32 else { throw .codeMalformed }
    let count = min(Int(length), limit)
    let start = ProcessAddress(address.rawValue &+ UInt64(isASCII ? text.ascii : text.compact))
    guard count > 0 else { return "" }
    guard let bytes = memory.bytes(at: start, count * kind) else { throw .codeGone }
    if isASCII { return String(decoding: bytes.map { $0 & 0x7f }, as: UTF8.self) }
    var scalars = String.UnicodeScalarView()
    for index in 0..<count {
      var value: UInt32 = 0
      for place in (0..<kind).reversed() { value = value << 8 | UInt32(bytes[index * kind + place]) }
      scalars.append(Unicode.Scalar(value) ?? "\u{fffd}")
    }
    return String(scalars)
  }

  private static func table(
    at address: ProcessAddress, _ layout: PythonLayout, _ memory: some ProcessMemory
  ) throws(InterpreterFailure) -> [UInt8] {
    guard let size = memory.word(at: ProcessAddress(address.rawValue &+ UInt64(layout.bytesSize))) else { throw .codeGone }
    // Too large a table is left out: frames have the line their function begins at.
    guard size <= UInt64(maximumTableByteCount) else { return [] }
    guard let bytes = memory.bytes(at: ProcessAddress(address.rawValue &+ UInt64(layout.bytesData)), Int(size)) else {
      throw .codeGone
    }
    return bytes
  }
}
extension InterpreterFailure: Error {}
