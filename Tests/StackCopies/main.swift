import Base
import Glibc
import Replayer
import TraceFormat

// stack-copies [--all] TRACE…
//
// Prints the registers and the stack of the copies in a trace (record --stack-copies all) that come out otherwise when they
// are unwound again, or of all of them, with both chains and what is mapped where their frames lie.

func hex(_ value: UInt64) -> String { String(value, radix: 16) }

var paths = Array(CommandLine.arguments.dropFirst())
let isAll = paths.first == "--all"
if isAll { paths.removeFirst() }
for path in paths {
  let trace = try LoadedTrace(path: path, workers: 2)
  var counts: [String: Int] = [:]
  try StackCopies(of: trace, workers: 2).forEach(onlyUnfinished: false) { unwound in
    counts["\(unwound.outcome)", default: 0] += 1
    guard isAll || [.different, .withoutCode, .lost].contains(unwound.outcome) else { return }
    let record = unwound.record
    let registers = record.registers
    func name(_ result: UInt8) -> String { UnwindResult(rawValue: result)?.name ?? "result \(result)" }
    print("\(unwound.outcome): thread \(record.sample.thread) at \(record.sample.timeMicroseconds) us on CPU \(record.sample.cpu)")
    print("  registers pc=\(hex(registers.pc)) sp=\(hex(registers.sp)) fp=\(hex(registers.fp))", terminator: "")
    print(registers.isReturnAddress ? " behind a call" : "", registers.numbered.map(hex).joined(separator: " "))
    for (title, frames, result) in [
      ("recorded", unwound.recorded, name(record.sample.result)), ("found", unwound.found, name(unwound.result)),
    ] {
      print("  \(title) \(frames.count), \(result)")
      for frame in frames { print("    \(hex(frame)) \(trace.contents.place(of: frame, in: record.addressSpace))") }
    }
    var cursor = ByteCursor(record.stack.borrowedBytes)
    print("  stack \(record.stack.count) bytes")
    for index in 0..<min(record.stack.count / 8, 512) {
      guard let word = try? cursor.read("word", as: UInt64.self) else { break }
      print("    +\(hex(UInt64(index * 8))) \(hex(word))")
    }
  }
  print("\(path): \(counts.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }.joined(separator: ", "))")
}
