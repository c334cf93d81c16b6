import Base
import CRecorderABI
import Interpreters
import ObjectFile

@testable import Recorder
@testable import Unwind

/// The memory of a program that runs CPython 3.12, put together by hand: `first` called C, which called the
/// evaluation function again; there `second` calls `third`. The frames that run no code lie beside the others here, not on the
/// stack.
struct PythonMemory {
  static let runtime: UInt64 = 0x6000_0000_0000
  static let interpreter = runtime + 0x1000
  static let thread = runtime + 0x2000
  static let otherThread = runtime + 0x3000
  static let frames = runtime + 0x4000
  static let codes = runtime + 0x8000
  static let codeType = runtime + 0x800
  static let threadPointer: UInt64 = 0x7f12_3456_7000

  /// In the image of the hand-made stack.
  static let evaluation: Range<UInt64> = 0x1000..<0x2000

  /// By address, 8 bytes each.
  var words: [UInt64: UInt64] = [:]
  var stack = HandMadeStack()

  static func frame(_ number: Int) -> UInt64 { frames + UInt64(number) * 0x80 }
  static func code(_ number: Int) -> UInt64 { codes + UInt64(number) * 0x1000 }

  init() {
    let base = HandMadeStack.base
    // C at 0x100, called by the evaluation, called by C at 0x210, called by the evaluation, called by the outermost.
    stack.add(0, HandMadeStack.sp(16))
    stack.add(0x1000, HandMadeStack.sp(64))
    stack.add(0x2000, RuleNumber.stop)
    stack.state.pc = HandMadeStack.code + 0x100
    stack.words = [0, HandMadeStack.code + 0x1100]  // the leaf's
    let inner = base + 16
    stack.words += [0, 0, 0, 0, 0, 0, 0, HandMadeStack.code + 0x210]
    stack.words += [0, HandMadeStack.code + 0x1200]
    stack.words += [0, 0, 0, 0, 0, 0, 0, HandMadeStack.code + 0x2010]
    stack.words += [0, 0]
    for structure in [Self.interpreter, Self.thread, Self.otherThread] {
      for offset in stride(from: UInt64(0), to: 0xa0, by: 8) { write(structure + offset, 0) }
    }
    // A page is there as a whole.
    for offset in stride(from: UInt64(0), to: 0x600, by: 8) { write(Self.frames + offset, 0) }
    write(Self.runtime + 40, Self.interpreter)
    write(Self.interpreter, 0)
    write(Self.interpreter + 72, Self.otherThread)
    write(Self.otherThread + 8, Self.thread)
    write(Self.otherThread + 136, 42)
    write(Self.thread + 8, 0)
    write(Self.thread + 56, inner + 48)
    write(Self.thread + 136, Self.threadPointer)
    stack.words[Int(inner + 48 - base) / 8] = Self.frame(2)  // the _PyCFrame's current frame
    addFrame(Self.frame(2), code: 2, previous: Self.frame(1), unit: 3)
    addFrame(Self.frame(1), code: 1, previous: Self.frame(8), unit: 2)
    addFrame(Self.frame(8), code: nil, previous: Self.frame(0), unit: 0)
    addFrame(Self.frame(0), code: 0, previous: Self.frame(9), unit: 1)
    addFrame(Self.frame(9), code: nil, previous: 0, unit: 0)
    for (number, name) in ["first", "second", "third"].enumerated() { addCode(number, name: name, line: UInt64(10 * number + 10)) }
  }

  mutating func write(_ address: UInt64, _ value: UInt64) { words[address] = value }

  private mutating func addFrame(_ address: UInt64, code: Int?, previous: UInt64, unit: UInt64) {
    for offset in stride(from: UInt64(0), to: 0x80, by: 8) { write(address + offset, 0) }
    write(address, code.map(Self.code) ?? 0)
    write(address + 8, previous)
    write(address + 56, (code.map(Self.code) ?? 0) + 192 + unit * 2)
    write(address + 64, code == nil ? 3 << 48 : 0)
  }

  private mutating func addCode(_ number: Int, name: String, line: UInt64) {
    let code = Self.code(number)
    for offset in stride(from: UInt64(0), to: 0x100, by: 8) { write(code + offset, 0x1111 * UInt64(number) + offset) }
    write(code, 3)
    write(code + 8, Self.codeType)
    write(code + 64, line << 32)
    let texts = code + 0x200
    write(code + 112, texts)
    write(code + 120, texts + 0x100)
    write(code + 128, texts + 0x200)
    write(code + 136, texts + 0x300)
    addText(texts, "/app/main.py")
    addText(texts + 0x100, name)
    addText(texts + 0x200, "Class." + name)
    // One unit each: the same line, one on, two on.
    addBytes(texts + 0x300, [0x80, 0, 0x80 | 11 << 3, 0, 0, 0x80 | 12 << 3, 0, 0, 0x80, 0])
  }

  private mutating func addText(_ address: UInt64, _ text: String) {
    for offset in stride(from: UInt64(0), to: 40, by: 8) { write(address + offset, 1) }
    write(address + 16, UInt64(text.utf8.count))
    // Kind 1, compact, ASCII.
    write(address + 32, 1 << 2 | 1 << 5 | 1 << 6)
    addRaw(address + 40, Array(text.utf8))
  }

  private mutating func addBytes(_ address: UInt64, _ bytes: [UInt8]) {
    write(address + 16, UInt64(bytes.count))
    write(address + 24, 0)
    addRaw(address + 32, bytes)
  }

  private mutating func addRaw(_ address: UInt64, _ bytes: [UInt8]) {
    for start in stride(from: 0, to: bytes.count, by: 8) {
      var word: UInt64 = 0
      for (place, byte) in bytes[start...].prefix(8).enumerated() { word |= UInt64(byte) << UInt64(place * 8) }
      write(address + UInt64(start), word)
    }
  }

  /// The words, neighbours together.
  var regions: RecordedMemory {
    var memory = RecordedMemory()
    var start: UInt64 = 0
    var bytes: [UInt8] = []
    for address in words.keys.sorted() {
      if bytes.isEmpty || start + UInt64(bytes.count) != address {
        if !bytes.isEmpty { memory.append(bytes, at: ProcessAddress(start)) }
        start = address
        bytes = []
      }
      let word = words[address] ?? 0
      bytes += (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64($0 * 8)) }
    }
    if !bytes.isEmpty { memory.append(bytes, at: ProcessAddress(start)) }
    return memory
  }

  /// As a binary would say it, whose code lies in the hand-made stack's image.
  static var process: PythonProcess {
    get throws {
      let range = AddressRange(start: ImageAddress(evaluation.lowerBound), end: ImageAddress(evaluation.upperBound))
      let binary = PythonBinary(
        evaluation: range.map { [$0] } ?? [], runtime: ImageAddress(runtime &- HandMadeStack.code),
        codeType: ImageAddress(codeType &- HandMadeStack.code), version: PythonVersion(3, 12))
      return try PythonProcess(binary, bias: HandMadeStack.code)
    }
  }

  func unwind() throws -> HostUnwinding {
    try stack.unwind(
      HostUnwinding.Interpreter(process: Self.process.unwinding, memory: regions, threadPointer: Self.threadPointer))
  }
}
