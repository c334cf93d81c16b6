import Base
import CLibBPF
import CRecorderABI
import Glibc
import Interpreters
import ObjectFile
import TraceFormat
import Unwind

/// An interpreter that runs in a process, and the code of it that was read.
final class RunningInterpreter {
  let python: PythonProcess
  /// What of the process it was found in: the image and where it lies.
  let image: ImageTable.Image
  let bias: UInt64
  struct Key: Hashable {
    var address: UInt64
    var cookie: UInt64
  }
  struct Known {
    var code: ReadCode
    /// When it was last seen to be there, `CLOCK_MONOTONIC`.
    var seenAt: UInt64
  }
  var codes: [Key: Known] = [:]

  init(_ python: PythonProcess, image: ImageTable.Image, bias: UInt64) {
    self.python = python
    self.image = image
    self.bias = bias
  }
}

/// Finds interpreters in the processes that are recorded, tells the sampler of them, and reads the code that its samples show.
///
/// Belongs to the recording loop's thread.
final class InterpreterWatch {
  /// Pieces of code that are known of one process; above it all are asked for again.
  static let maximumCodesOfProcess = 1 << 17
  private static let maximumRefusals = 64

  /// The sampler's map of processes; -1 for none.
  private let processes: Int32
  private let codes = CodeTable()
  /// Processes that the sampler was told of.
  private var pointed: Set<UInt32> = []
  private(set) var totals = Totals()
  struct Totals {
    var processes = 0
    /// Files whose interpreter is not looked into, and why.
    var refusals: Set<String> = []
    var codes = 0
    var failures: [InterpreterFailure: Int] = [:]
  }
  private let memory: (UInt32) -> any ProcessMemory
  private let recogniser = Recogniser()
  private var lookedInto: [ImageTable.Image] = []
  /// Files that are looked into; all that a machine maps.
  private static let maximumFiles = 1 << 16

  /// - Parameter processes: the descriptor of the sampler's map; -1 for none.
  init(processes: Int32, memory: @escaping (UInt32) -> any ProcessMemory = { LiveProcessMemory(process: $0) }) {
    self.processes = processes
    self.memory = memory
  }

  // MARK: Recognition

  /// Looks whether the file holds an interpreter.
  func see(_ image: ImageTable.Image) {
    guard image.kind == .file, !image.wasRecognised, image.descriptor >= 0 else { return }
    image.wasRecognised = true
    if Recognised.isLikely(image.path) {
      take(Recognised(image.descriptor, path: image.path), image)
      return
    }
    guard lookedInto.count < Self.maximumFiles else { return }
    let descriptor = fcntl(image.descriptor, F_DUPFD_CLOEXEC, 0)
    guard descriptor >= 0 else { return }
    lookedInto.append(image)
    recogniser.look(into: descriptor, path: image.path, number: lookedInto.count - 1)
  }

  private func take(_ found: Recognised?, _ image: ImageTable.Image) {
    image.python = found?.python
    image.layout = found?.layout
  }

  /// Whether files were found to hold an interpreter since the last call; whoever maps one is to be published again.
  func takeRecognised() -> [ImageTable.Image] {
    recogniser.takeFound().map { number, found in
      take(found, lookedInto[number])
      return lookedInto[number]
    }
  }

  /// Tells the sampler what runs in the process, if it is not known yet.
  func publish(_ process: RecordedProcess) {
    guard process.exitedAt == nil, !process.facts.isKernelThread else { return }
    for mapping in process.mappings {
      guard let binary = mapping.image.python, let layout = mapping.image.layout,
        let bias = layout.loadBias(mappingStart: ProcessAddress(mapping.start), fileOffset: FileOffset(mapping.fileOffset))
      else { continue }
      if let known = process.interpreter, known.image === mapping.image, known.bias == bias { return }
      do throws(PythonProcess.Refusal) {
        let python = try PythonProcess(binary, bias: bias)
        process.interpreter = RunningInterpreter(python, image: mapping.image, bias: bias)
        totals.processes += 1
        point(process.pid, to: python.unwinding)
      } catch {
        if totals.refusals.count < Self.maximumRefusals {
          let version = binary.version.map { "CPython \($0)" } ?? "CPython"
          totals.refusals.insert("\(mapping.image.path) (\(version)): \(error.rawValue)")
        }
      }
      return
    }
    process.interpreter = nil
    forget(process.pid)
  }

  private func point(_ process: UInt32, to value: pyrorec_python_process) {
    guard processes >= 0 else { return }
    pointed.insert(process)
    var key = process
    var value = value
    _ = unsafe bpf_map_update_elem(processes, &key, &value, 0)
  }

  func forget(_ process: UInt32) {
    guard processes >= 0, pointed.remove(process) != nil else { return }
    var key = process
    _ = unsafe bpf_map_delete_elem(processes, &key)
  }

  // MARK: Code

  /// The stack with each frame of an interpreter as one `InterpreterWord`; `nil` when it has none.
  ///
  /// Records of code that was not written before are appended to `records`.
  ///
  /// - Parameter time: of the sample, nanoseconds of `CLOCK_MONOTONIC`.
  func translate(
    _ words: RawSpan, of process: RecordedProcess, at time: UInt64, into records: inout [CodeRecord]
  ) -> [UInt64]? {
    guard process.interpreter != nil else { return nil }
    var cursor = ByteCursor(words)
    var frames: [UInt64] = []
    frames.reserveCapacity(words.byteCount / 8)
    var hasAny = false
    while let word = try? cursor.read("frame", as: UInt64.self) {
      guard InterpreterWord.parse(word) != nil, let rest = try? cursor.read("cookie", as: UInt64.self) else {
        frames.append(word)
        continue
      }
      hasAny = true
      frames.append(InterpreterWord.make(.python, place(word, rest, process, time, &records)))
    }
    return hasAny ? frames : nil
  }

  /// The interpreter's frames that the sampler kept (`PYROREC_EXTRA_FRAMES_AND_STACK`), for when the native ones can be found.
  func translateKept(
    _ words: RawSpan, of process: RecordedProcess, at time: UInt64, into records: inout [CodeRecord]
  ) -> HostUnwinding.Interpreter? {
    guard let python = process.interpreter?.python else { return nil }
    var kept = HostUnwinding.Interpreter(process: python.unwinding, memory: RecordedMemory(), threadPointer: 0)
    var cursor = ByteCursor(words)
    do throws(MalformedInput) {
      kept.keptStructure = try cursor.read("structure")
      while cursor.remaining > 0 {
        kept.kept.append(try cursor.read("frame"))
        let first: UInt64 = try cursor.read("code")
        let second: UInt64 = try cursor.read("cookie")
        kept.kept.append(first == 0 ? 0 : InterpreterWord.make(.python, place(first, second, process, time, &records)))
      }
    } catch {
      return nil
    }
    return kept.kept.isEmpty ? nil : kept
  }

  private func place(
    _ first: UInt64, _ second: UInt64, _ process: RecordedProcess, _ time: UInt64, _ records: inout [CodeRecord]
  ) -> InterpreterPlace {
    let address = first & ((1 << UInt64(PYROREC_FRAME_SPACE_BIT)) - 1)
    let isChecked = second & PYROREC_FRAME_UNCHECKED == 0
    let rest = second & ((1 << 62) - 1)
    let instruction = UInt32(truncatingIfNeeded: rest & InterpreterPlace.mask)
    guard address != 0 else { return InterpreterPlace(code: 0, instruction: instruction) }
    guard let interpreter = process.interpreter else {
      return InterpreterPlace(code: 0, instruction: UInt32(InterpreterFailure.codeGone.rawValue))
    }
    let key = RunningInterpreter.Key(address: address, cookie: rest >> InterpreterPlace.bits)
    let code: ReadCode
    do throws(InterpreterFailure) {
      if let known = interpreter.codes[key], !known.code.isForgotten {
        if !isChecked, known.seenAt < time { try look(at: key, interpreter, process) }
        code = known.code
      } else {
        code = try read(key, interpreter, process.pid)
      }
      guard let use = codes.use(code) else { throw .tooMuchCode }
      if let record = use.record { records.append(record) }
      return InterpreterPlace(code: use.handle, instruction: instruction)
    } catch {
      totals.failures[error, default: 0] += 1
      // Asked for again the next time: by then the same place may hold what can be read.
      return InterpreterPlace(code: 0, instruction: UInt32(error.rawValue))
    }
  }

  /// Another segment begins: code is written there again, without being read again, because it may be gone by now.
  func beginSegment() { codes.beginSegment() }

  private func read(
    _ key: RunningInterpreter.Key, _ interpreter: RunningInterpreter, _ process: UInt32
  ) throws(InterpreterFailure) -> ReadCode {
    let layout = interpreter.python.layout
    let code = try PythonCode(
      at: ProcessAddress(key.address), cookie: key.cookie, layout: layout,
      codeType: interpreter.python.unwinding.code_type, memory: memory(process))
    let (read, isNew) = codes.take(
      CodeRecord(
        handle: CodeHandle(0), interpreter: StackNode.Space(InterpreterKind.python.rawValue),
        lineFormat: code.lines.rawValue, runtime: "CPython \(layout.version)", name: code.name, file: code.file,
        firstLine: code.firstLine, lines: code.lineTable))
    if isNew { totals.codes += 1 }
    if interpreter.codes.count >= Self.maximumCodesOfProcess { interpreter.codes.removeAll(keepingCapacity: true) }
    interpreter.codes[key] = RunningInterpreter.Known(code: read, seenAt: Clock.monotonic())
    return read
  }

  /// Whether code that the sampler did not look at is still what it was when it did: then it was all the time between. What a
  /// process has last run before it ended cannot be looked at any more, and is believed.
  private func look(at key: RunningInterpreter.Key, _ interpreter: RunningInterpreter, _ process: RecordedProcess)
    throws(InterpreterFailure)
  {
    let memory = memory(process.pid)
    let layout = interpreter.python.layout
    guard let code = memory.bytes(at: ProcessAddress(key.address), layout.code.byteCount),
      let cookie = PythonCode.cookie(of: code, layout, memory)
    else {
      if process.exitedAt != nil || memory.bytes(at: ProcessAddress(interpreter.python.unwinding.interpreters), 8) == nil { return }
      interpreter.codes[key] = nil
      throw .codeGone
    }
    guard cookie == key.cookie else {
      interpreter.codes[key] = nil
      throw .codeReplaced
    }
    interpreter.codes[key]?.seenAt = Clock.monotonic()
  }
}
