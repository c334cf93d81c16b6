// Unwinds threads of a process that stands still, as a recording would, and prints what it finds (scripts/try-gdb compares).
//
//   unwind-threads PID [CACHE] < REGISTERS
//
// Each line of standard input is a thread: its number, then in hexadecimal rax, rdx, rcx, rbx, rsi, rdi, rbp, rsp, r8 … r15, rip
// and orig_rax. For each comes a line `thread NUMBER RESULT [guessed FRAME REASON]`, then one a frame: the address and where in
// which file it lies. CACHE is a directory for tables.
import Base
import Glibc
import Recorder
import TraceFormat

func fail(_ message: String, _ status: Int32) -> Never {
  try? OwnedDescriptor(owning: 2).write(Array("unwind-threads: \(message)\n".utf8).span.bytes, path: "stderr")
  exit(status)
}

let arguments = CommandLine.arguments
guard arguments.count >= 2, let pid = UInt32(arguments[1]) else { fail("usage: unwind-threads PID [CACHE] < REGISTERS", 64) }
do {
  let process = try StandingProcess(pid: pid, cachePath: arguments.count > 2 ? arguments[2] : nil)
  while let line = readLine() {
    let words = line.split(separator: " ")
    let values = words.dropFirst().compactMap { UInt64($0, radix: 16) }
    guard words.count == 19, values.count == 18 else { fail("a thread and 18 registers were expected, not: \(line)", 64) }
    let registers = StandingProcess.Registers(
      numbered: Array(values[0..<16]), pc: values[16], isInSystemCall: values[17] != .max)
    let chain = process.unwind(registers)
    let guess = chain.firstGuess.map { " guessed \($0.frame) \($0.reason.name)" } ?? ""
    print("thread \(words[0]) \(chain.result.name)\(guess)")
    for address in chain.frames {
      let place = process.place(of: address)
      print("\(String(address, radix: 16)) \(String(place.fileOffset, radix: 16)) \(place.path)")
    }
  }
} catch {
  fail("\(error)", 1)
}
