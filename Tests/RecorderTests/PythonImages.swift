import Base
import CRecorderABI
import Glibc
import Interpreters
import ObjectFile
import Synchronization
import TestSupport
import Testing
import Unwind

@testable import Recorder

/// Counts what is asked of a memory, and keeps what was read.
final class WatchedMemory: ProcessMemory, Sendable {
  private let memory: any ProcessMemory & Sendable
  private typealias Piece = (start: UInt64, bytes: [UInt8])
  private let state = Mutex((byteCount: 0, reads: [Piece](), fillers: [Piece]()))
  private let keeps: Bool

  init(_ memory: any ProcessMemory & Sendable, keeps: Bool = false) {
    self.memory = memory
    self.keeps = keeps
  }

  var byteCount: Int { state.withLock { $0.byteCount } }

  func bytes(at address: ProcessAddress, _ byteCount: Int) -> [UInt8]? {
    let found = memory.bytes(at: address, byteCount)
    state.withLock { state in
      state.byteCount += byteCount
      if keeps, let found, !found.isEmpty { state.reads.append((address.rawValue, found)) }
    }
    return found
  }

  /// Where nothing else was read, `bytes` stand in for what is there.
  func keep(_ bytes: [UInt8], at start: UInt64) { state.withLock { $0.fillers.append((start, bytes)) } }

  /// What was read, neighbours together.
  var kept: RecordedMemory {
    let (_, reads, fillers) = state.withLock { $0 }
    var byAddress: [UInt64: UInt8] = [:]
    for piece in fillers + reads {
      for (place, byte) in piece.bytes.enumerated() { byAddress[piece.start + UInt64(place)] = byte }
    }
    var memory = RecordedMemory()
    var start: UInt64 = 0
    var bytes: [UInt8] = []
    for address in byAddress.keys.sorted() {
      if start + UInt64(bytes.count) != address {
        if !bytes.isEmpty { memory.append(bytes, at: ProcessAddress(start)) }
        (start, bytes) = (address, [])
      }
      bytes.append(byAddress[address] ?? 0)
    }
    if !bytes.isEmpty { memory.append(bytes, at: ProcessAddress(start)) }
    return memory
  }
}

extension PythonImage {
  static let evaluation: Range<UInt64> = HandMadeStack.code + 0x1000..<HandMadeStack.code + 0x2000

  func process() throws -> PythonProcess {
    let range = AddressRange(start: ImageAddress(Self.evaluation.lowerBound), end: ImageAddress(Self.evaluation.upperBound))
    return try process(evaluation: try #require(range))
  }

  /// A C function that the evaluation function called, which ran `callCount` times; above the stack of the process, because
  /// what lies on that is a part of the image.
  var stack: HandMadeStack {
    var stack = HandMadeStack()
    stack.add(0, HandMadeStack.sp(16))
    stack.add(0x1000, HandMadeStack.sp(16))
    stack.add(0x2000, RuleNumber.stop)
    stack.state.pc = HandMadeStack.code + 0x100
    stack.state.sp = 0x7fff_ffff_0000
    stack.words = [0]
    for _ in 0..<min(callCount, 64) { stack.words += [HandMadeStack.code + 0x1100, 0] }
    stack.words += [HandMadeStack.code + 0x2010, 0, 0]
    return stack
  }

  func unwind(_ process: PythonProcess, by loaded: HandMadeStack.Loaded) throws -> HostUnwinding {
    try stack.unwind(
      by: loaded, .x86_64,
      HostUnwinding.Interpreter(process: process.unwinding, memory: memory, threadPointer: threadPointer))
  }

  /// The names of the code that the frames run, and the reasons where there are none.
  func names(_ found: HostUnwinding, _ process: PythonProcess, in memory: some ProcessMemory) -> [String] {
    var names: [String] = []
    var index = 0
    while index + 1 < found.frames.count {
      let word = found.frames[index]
      index += 1
      guard InterpreterWord.parse(word) != nil else { continue }
      let rest = found.frames[index] & ~(1 << 63)
      index += 1
      let address = word & ((1 << UInt64(PYROREC_FRAME_SPACE_BIT)) - 1)
      guard address != 0 else {
        names.append(InterpreterFailure(rawValue: UInt8(clamping: rest & InterpreterPlace.mask))?.name ?? "no reason")
        continue
      }
      do throws(InterpreterFailure) {
        let code = try PythonCode(
          at: ProcessAddress(address), cookie: rest >> InterpreterPlace.bits, layout: process.layout,
          codeType: process.unwinding.code_type, memory: memory)
        let instruction = UInt32(truncatingIfNeeded: rest & InterpreterPlace.mask)
        let line = code.lines.line(of: instruction, in: code.lineTable, first: code.firstLine)
        names.append(code.name + ":" + (line.map(String.init) ?? "?"))
      } catch {
        names.append(error.name)
      }
    }
    return names
  }
}

extension PythonImage {
  /// Reads what its walk will read from a process that stands still.
  static func record(_ process: UInt32, _ binary: PythonBinary, bias: UInt64) throws -> PythonImage {
    let python = try PythonProcess(binary, bias: bias)
    let memory = WatchedMemory(LiveProcessMemory(process: process), keeps: true)
    let p = python.unwinding
    func word(_ address: UInt64) throws -> UInt64 { try #require(memory.word(at: ProcessAddress(address))) }
    func read(_ address: UInt64, _ count: Int) { _ = memory.bytes(at: ProcessAddress(address), count) }
    let runtime = binary.runtime.rawValue &+ bias
    if binary.ownLayout != nil { read(runtime, PythonLayout.debugOffsetsByteCount) }
    let interpreter = try word(p.interpreters)
    _ = try word(interpreter + UInt64(p.interpreter_next))
    let thread = try word(interpreter + UInt64(p.interpreter_threads))
    read(thread, Int(p.thread_bytes))
    var frame: UInt64
    if p.thread_cframe == UInt16(PYROREC_OFFSET_NONE) {
      frame = try word(thread + UInt64(p.thread_frame))
    } else {
      frame = try word(try word(thread + UInt64(p.thread_cframe)) + UInt64(p.cframe_current))
    }
    var calls = 0
    while frame != 0 {
      read(frame, Int(p.frame_bytes))
      // What the sampler reads below it too. What it says does not matter.
      if python.layout.style != .frameACall, frame & 4095 != 0 {
        memory.keep([UInt8](repeating: 0, count: Int(frame & 4095)), at: frame & ~4095)
      }
      let code = try word(frame + UInt64(p.frame_code)) & ~7
      if memory.word(at: ProcessAddress(code + UInt64(p.object_type))) == p.code_type {
        calls += python.layout.style == .frameACall ? 1 : 0
        let bytes = try #require(memory.bytes(at: ProcessAddress(code), python.layout.code.byteCount))
        let cookie = try #require(PythonCode.cookie(of: bytes, python.layout, memory))
        _ = try PythonCode(at: ProcessAddress(code), cookie: cookie, layout: python.layout, codeType: p.code_type, memory: memory)
      }
      frame = try word(frame + UInt64(p.frame_previous))
    }
    return PythonImage(
      version: UInt64(python.layout.version.major) << 24 | UInt64(python.layout.version.minor) << 16, runtime: runtime,
      runtimeIsInterpreterPointer: binary.runtimeIsInterpreterPointer, codeType: p.code_type,
      threadPointer: try word(thread + UInt64(p.thread_id)), callCount: max(calls, 1), memory: memory.kept)
  }
}
