import Base
import CRecorderABI
import Interpreters
import ObjectFile
import Synchronization
import Unwind

/// The memory of a process that runs CPython, as `fixtures/python` has some: its frames are walked, and the code that they run
/// is read, as the recorder would.
enum PythonMemory {
  private static let code: UInt64 = 0x5500_0000_0000
  /// More than any real stack needs of real code objects.
  private static let maximumReads = 512

  /// Memory that counts how often it is asked.
  private final class Counted: ProcessMemory {
    let memory: RecordedMemory
    var byteCount = 0
    init(_ memory: RecordedMemory) { self.memory = memory }
    func bytes(at address: ProcessAddress, _ byteCount: Int) -> [UInt8]? {
      precondition(byteCount <= 1 << 20)
      self.byteCount += byteCount
      return memory.bytes(at: address, byteCount)
    }
  }

  @Sendable static func walk(_ bytes: [UInt8]) {
    guard let image = PythonImage(bytes),
      let range = AddressRange(start: ImageAddress(code + 0x1000), end: ImageAddress(code + 0x2000)),
      let process = try? image.process(evaluation: range), let arrays = try? UnwindArrays(budget: 1 << 16, maps: nil)
    else { return }
    arrays.mappings[0] = pyrorec_unwind_mapping(
      begin: code, end: code + 0x3000, bias: 0, table: UInt64(PYROREC_ABSENCE_ANONYMOUS.rawValue))
    // Frame pointers, and return addresses into the evaluation function.
    var state = pyrorec_unwind_state()
    state.sp = 0x7fff_ffff_0000
    state.fp = state.sp
    state.pc = code + 0x1100
    var stack: [UInt8] = []
    let calls = UInt64(min(max(image.callCount, 0), 64))
    for call in 0...calls {
      for word in [call < calls ? state.sp + 16 * (call + 1) : 0, call < calls ? code + 0x1100 : 0] {
        for place in 0..<8 { stack.append(UInt8(truncatingIfNeeded: word >> UInt64(8 * place))) }
      }
    }
    let found = HostUnwinding(
      from: state, after: [], in: arrays, mappings: 0..<1, stack: stack, machine: .x86_64, process: 0,
      interpreter: HostUnwinding.Interpreter(
        process: process.unwinding, memory: image.memory, threadPointer: image.threadPointer))
    precondition(found.frames.count <= HostUnwinding.maximumFrames)
    read(found.frames, process, image.memory)
  }

  private static func read(_ frames: [UInt64], _ process: PythonProcess, _ memory: RecordedMemory) {
    var index = 0
    var reads = 0
    while index + 1 < frames.count, reads < maximumReads {
      let word = frames[index]
      index += 1
      guard word >> 63 == 1 else { continue }
      let rest = frames[index] & (1 << 62 - 1)
      index += 1
      let address = word & (1 << UInt64(PYROREC_FRAME_SPACE_BIT) - 1)
      guard address != 0 else { continue }
      reads += 1
      let counted = Counted(memory)
      if let code = try? PythonCode(
        at: ProcessAddress(address), cookie: rest >> UInt64(PYROREC_INSTRUCTION_BITS), layout: process.layout,
        codeType: process.unwinding.code_type, memory: counted)
      {
        for unit: UInt32 in [0, 1, 7, 100, 1 << UInt32(PYROREC_INSTRUCTION_BITS) - 1] {
          _ = code.lines.line(of: unit, in: code.lineTable, first: code.firstLine)
        }
        precondition(code.name.unicodeScalars.count <= 1024 && code.file.unicodeScalars.count <= 4096)
      }
      // Names, a file, a table, and the object twice.
      precondition(counted.byteCount < 1 << 19)
    }
  }
}
