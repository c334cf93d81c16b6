import Base
import CRecorderABI
import Testing
import TraceFormat
import Unwind

@testable import Interpreters
@testable import Recorder

@Suite struct PythonUnwindingTests {
  /// A frame of the result, in words.
  private enum Frame: Equatable, CustomStringConvertible {
    case native(UInt64)
    case python(UInt64, unit: UInt64)
    case failure(UInt64)
    var description: String {
      switch self {
      case .native(let address): "0x" + String(address, radix: 16)
      case .python(let code, let unit): "code \((code &- PythonMemory.codes) / 0x1000) at \(unit)"
      case .failure(let reason): "failure \(reason)"
      }
    }
  }

  private func frames(_ found: HostUnwinding) -> [Frame] {
    var frames: [Frame] = []
    var index = 0
    while index < found.frames.count {
      let word = found.frames[index]
      index += 1
      guard InterpreterWord.parse(word) != nil, index < found.frames.count else {
        frames.append(.native(word &- HandMadeStack.code))
        continue
      }
      let rest = found.frames[index] & ~(1 << 63)
      index += 1
      let address = word & PYROREC_FRAME_ADDRESS_MASK
      frames.append(address == 0 ? .failure(rest) : .python(address, unit: rest & InterpreterPlace.mask))
    }
    return frames
  }
  private let PYROREC_FRAME_ADDRESS_MASK: UInt64 = (1 << 56) - 1

  @Test("the interpreter's frames take the place of the native frames that ran them, and C between them stays")
  func inPlace() throws {
    let found = try PythonMemory().unwind()
    #expect(
      frames(found) == [
        .native(0x100), .python(PythonMemory.code(2), unit: 4), .python(PythonMemory.code(1), unit: 3), .native(0x210),
        .python(PythonMemory.code(0), unit: 2), .native(0x2010),
      ])
    #expect(found.result == UInt8(PYROREC_UNWIND_COMPLETE.rawValue))
  }

  @Test("frames that the sampler kept take their places when the native ones are known, without the process's memory")
  func kept() throws {
    let stack = PythonMemory().stack
    func word(_ code: UInt32) -> UInt64 { InterpreterWord.make(.python, InterpreterPlace(code: code, instruction: 1)) }
    var interpreter = HostUnwinding.Interpreter(
      process: try PythonMemory.process.unwinding, memory: RecordedMemory(), threadPointer: 0)
    interpreter.kept = [
      PythonMemory.frame(2), word(3), PythonMemory.frame(1), word(2), PythonMemory.frame(8), 0, PythonMemory.frame(0), word(1),
      PythonMemory.frame(9), 0,
    ]
    interpreter.keptStructure = HandMadeStack.base + 64
    func frames() throws -> [UInt64] {
      InterpreterWord.joined(try stack.unwind(interpreter).frames).map { $0 >> 63 == 1 ? $0 : $0 &- HandMadeStack.code }
    }
    #expect(try frames() == [0x100, word(3), word(2), 0x210, word(1), 0x2010])
    // Where nothing was kept, a reason stands there.
    let reason = InterpreterPlace(code: 0, instruction: PYROREC_INTERPRETER_UNREADABLE.rawValue)
    interpreter.kept = []
    #expect(try frames() == [0x100, InterpreterWord.make(.python, reason), 0x1100, 0x210, 0x1200, 0x2010])
  }

  @Test("without a thread state of the thread the native frames stay, and the stack says why")
  func noThread() throws {
    var memory = PythonMemory()
    memory.write(PythonMemory.thread + 136, 7)
    #expect(
      frames(try memory.unwind()) == [
        .native(0x100), .failure(UInt64(PYROREC_INTERPRETER_NO_THREAD.rawValue)), .native(0x1100), .native(0x210), .native(0x1200),
        .native(0x2010),
      ])
  }

  @Test("what a frame runs is taken for code only when it is a code object")
  func noCode() throws {
    var memory = PythonMemory()
    memory.write(PythonMemory.code(1) + 8, 7)
    #expect(
      frames(try memory.unwind()).prefix(4) == [
        .native(0x100), .python(PythonMemory.code(2), unit: 4), .failure(UInt64(PYROREC_INTERPRETER_NO_CODE.rawValue)),
        .native(0x1100),
      ])
  }

  @Test("a call that has linked no frame yet takes none of those of the calls farther out")
  func beforeLinking() throws {
    var memory = PythonMemory()
    // The innermost call's structure is still that of the outer one.
    let outer = HandMadeStack.base + 16 + 64 + 16 + 48
    memory.write(PythonMemory.thread + 56, outer)
    memory.stack.words[Int(outer - HandMadeStack.base) / 8] = PythonMemory.frame(0)
    #expect(
      frames(try memory.unwind()) == [.native(0x100), .native(0x210), .python(PythonMemory.code(0), unit: 2), .native(0x2010)])
  }

  @Test("code is read by what the sampler saw of it, with its names and lines")
  func code() throws {
    let memory = PythonMemory()
    let process = try PythonMemory.process
    let found = try memory.unwind()
    let cookie = (found.frames[2] & ~(1 << 63)) >> InterpreterPlace.bits
    let code = try PythonCode(
      at: ProcessAddress(PythonMemory.code(2)), cookie: cookie, layout: process.layout, codeType: PythonMemory.codeType,
      memory: memory.regions)
    #expect(code.name == "Class.third" && code.file == "/app/main.py" && code.firstLine == 30)
    #expect((1...4).map { code.lines.line(of: $0, in: code.lineTable, first: code.firstLine) } == [30, 31, 33, 33])
  }

  @Test("code that is no longer what the sampler saw is not taken for it")
  func staleCode() throws {
    var memory = PythonMemory()
    let process = try PythonMemory.process
    let cookie = (try memory.unwind().frames[2] & ~(1 << 63)) >> InterpreterPlace.bits
    memory.write(PythonMemory.code(2) + 88, 1)
    #expect(throws: InterpreterFailure.codeReplaced) {
      _ = try PythonCode(
        at: ProcessAddress(PythonMemory.code(2)), cookie: cookie, layout: process.layout, codeType: PythonMemory.codeType,
        memory: memory.regions)
    }
  }

  @Test("whatever any word of the memory says, the walk ends, and reading code gives a code or a reason")
  func corruption() throws {
    let whole = PythonMemory()
    let process = try PythonMemory.process
    var outcomes: [String: Int] = [:]
    func tryOut(_ memory: PythonMemory) throws {
      let found = try memory.unwind()
      #expect(found.frames.count <= HostUnwinding.maximumFrames)
      let regions = memory.regions
      for number in 0..<3 {
        let address = PythonMemory.code(number)
        guard let bytes = regions.bytes(at: ProcessAddress(address), process.layout.code.byteCount),
          let cookie = PythonCode.cookie(of: bytes, process.layout, regions)
        else { continue }
        do throws(InterpreterFailure) {
          let code = try PythonCode(
            at: ProcessAddress(address), cookie: cookie, layout: process.layout, codeType: PythonMemory.codeType, memory: regions)
          #expect(code.name.utf8.count <= 4096 && code.lineTable.count <= 1 << 18)
          outcomes["read", default: 0] += 1
        } catch {
          outcomes[error.name, default: 0] += 1
        }
      }
    }
    for address in whole.words.keys.sorted() {
      let value = whole.words[address] ?? 0
      for other in [0, .max, value ^ 8, value ^ 1 << 40, value &+ 1, value << 1, PythonMemory.frame(0), PythonMemory.frame(1)] {
        var memory = whole
        memory.write(address, other)
        try tryOut(memory)
      }
      var memory = whole
      memory.words[address] = nil
      try tryOut(memory)
    }
    #expect(outcomes["read", default: 0] > 1000)
    #expect(
      outcomes["code_gone", default: 0] > 0 && outcomes["code_malformed", default: 0] > 0 && outcomes["code_replaced", default: 0] > 0)
  }

  @Test("code is written once in each segment, and read once in all of them")
  func segments() throws {
    let memory = PythonMemory()
    let found = try memory.unwind()
    var isGone = false
    let watch = InterpreterWatch(processes: -1) { _ in isGone ? RecordedMemory() : memory.regions }
    let images = ImageTable(opener: NoImages())
    let image = images.image(
      process: 7, start: HandMadeStack.code, byteCount: 0x3000, path: "/usr/bin/python3.12", device: 1, inode: 2, generation: 0)
    let process = RecordedProcess(pid: 7, facts: ProcessFacts(), startTime: 1, scannedAt: 0, programTime: 0)
    process.interpreter = RunningInterpreter(try PythonMemory.process, image: image, bias: HandMadeStack.code)
    func translate() throws -> (frames: [UInt64], names: [String]) {
      var records: [CodeRecord] = []
      let bytes = found.frames.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64($0 * 8)) } }
      let frames = watch.translate(bytes.borrowedBytes, of: process, at: 0, into: &records)
      return (try #require(frames), records.map(\.name))
    }
    let first = try translate()
    #expect(first.names == ["Class.third", "Class.second", "Class.first"])
    #expect(try translate().names.isEmpty)
    isGone = true
    watch.beginSegment()
    let second = try translate()
    #expect(second.names == first.names)
    #expect(second.frames == first.frames)
  }

  @Test("code that the sampler did not look at again has its name as long as it is there, and after the process ended")
  func unchecked() throws {
    let memory = PythonMemory()
    let unchecked = try memory.unwind().frames.enumerated().map { index, word in
      // Of the first frame, whose two words are the second and the third.
      index == 2 ? word | PYROREC_FRAME_UNCHECKED : word
    }
    var regions = memory.regions
    let watch = InterpreterWatch(processes: -1) { _ in regions }
    let images = ImageTable(opener: NoImages())
    let image = images.image(
      process: 7, start: HandMadeStack.code, byteCount: 0x3000, path: "/usr/bin/python3.12", device: 1, inode: 2, generation: 0)
    let process = RecordedProcess(pid: 7, facts: ProcessFacts(), startTime: 1, scannedAt: 0, programTime: 0)
    process.interpreter = RunningInterpreter(try PythonMemory.process, image: image, bias: HandMadeStack.code)
    func place(at time: UInt64) throws -> InterpreterPlace {
      var records: [CodeRecord] = []
      let bytes = unchecked.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64($0 * 8)) } }
      let found = watch.translate(bytes.borrowedBytes, of: process, at: time, into: &records)
      let frames = try #require(found)
      return try #require(InterpreterWord.parse(frames[1])).place
    }
    let first = try place(at: .max)
    #expect(first.code == 1)
    #expect(try place(at: .max) == first)
    var changed = memory
    changed.write(PythonMemory.code(2) + 88, 1)
    regions = changed.regions
    // It was seen to be there later than that.
    #expect(try place(at: 0) == first)
    let replaced = InterpreterPlace(code: 0, instruction: UInt32(InterpreterFailure.codeReplaced.rawValue))
    #expect(try place(at: .max) == replaced)
    #expect(try place(at: .max) == replaced)
    regions = memory.regions
    #expect(try place(at: .max) == first)
    regions = RecordedMemory()
    #expect(try place(at: .max) == first)
  }

  @Test("code is told apart by what its names say, however long, where every pointer is the same again")
  func names() throws {
    var layout = try #require(PythonLayout.table(PythonVersion(3, 11)))
    layout.code.version = nil
    func cookie(_ name: [UInt8], ascii: Bool = true, file: String = "/app/main.py", hash: UInt64 = .max) -> UInt64? {
      var memory = RecordedMemory()
      func text(_ bytes: [UInt8], _ ascii: Bool) -> [UInt8] {
        var object = [UInt8](repeating: 0, count: 16)
        let state: UInt64 = ascii ? 0x64 : 0x24
        for word: UInt64 in [UInt64(bytes.count), hash, state, 0] {
          object += (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64($0 * 8)) }
        }
        return object + (ascii ? [] : [UInt8](repeating: 0, count: 24)) + bytes
      }
      // Nothing lies behind the last one.
      memory.append(text(name, ascii), at: ProcessAddress(0x1000))
      memory.append(text(Array(file.utf8), true), at: ProcessAddress(0x2000))
      var code = [UInt8](repeating: 7, count: layout.code.byteCount)
      for (offset, pointer) in [(layout.code.qualifiedName ?? 0, 0x10), (layout.code.file, 0x20)] {
        for place in 0..<8 { code[offset + place] = place == 1 ? UInt8(pointer) : 0 }
      }
      return PythonCode.cookie(of: code, layout, memory)
    }
    let long = [UInt8](repeating: 97, count: 300)
    var names: [[UInt8]] = [[], Array("f".utf8), Array("g".utf8), Array("c12.run".utf8), Array("c13.run".utf8), long]
    for index in [0, 39, 260, 299] {
      var other = long
      other[index] = 98
      names.append(other)
    }
    names.append(Array(long.dropLast()))
    var cookies: [UInt64?] = []
    for name in names { cookies.append(cookie(name)) }
    for name in names[1..<6] { cookies.append(cookie(name, ascii: false)) }
    cookies.append(cookie(names[1], file: "/app/other.py"))
    cookies.append(cookie(names[1], file: "/app/module_000012.py"))
    cookies.append(cookie(names[1], file: "/app/module_000013.py"))
    #expect(!cookies.contains(nil))
    #expect(Set(cookies).count == cookies.count)
  }
}
