import Base
import Glibc
import TestSupport
import Testing
import TraceFormat

@testable import Recorder

/// Unwinding a process that waits, without a debugger.
struct StandingProcessTests {
  /// Where a thread waits in a system call (`/proc/PID/syscall`, proc(5)): rsp and rip, or `nil` while it runs.
  private func waits(_ pid: pid_t) throws -> (sp: UInt64, pc: UInt64)? {
    let text = String(decoding: try contents(of: "/proc/\(pid)/syscall", limit: 4096), as: UTF8.self)
    // clock_nanosleep
    let words = text.split(whereSeparator: \.isWhitespace)
    guard words.first == "230", words.count == 9, let sp = UInt64(words[7].dropFirst(2), radix: 16),
      let pc = UInt64(words[8].dropFirst(2), radix: 16)
    else { return nil }
    return (sp, pc)
  }

  @Test func `a program that sleeps is unwound to its start`() throws {
    let sleeper = try RunningCommand(["sleep", "1000"])
    var place: (sp: UInt64, pc: UInt64)?
    for _ in 0..<2_000 where place == nil {
      usleep(5_000)
      do { place = try waits(sleeper.pid) } catch  where error is SystemCallError {
        return print("skipped: this system does not show where a process waits: \(error)")
      }
    }
    let found = try #require(place)
    var numbered = [UInt64](repeating: 0, count: 16)
    numbered[7] = found.sp
    let process = try StandingProcess(pid: UInt32(sleeper.pid), cachePath: nil)
    let chain = process.unwind(StandingProcess.Registers(numbered: numbered, pc: found.pc, isInSystemCall: true))
    #expect(chain.result == .complete && chain.firstGuess == nil)
    #expect(chain.frames.first == found.pc && chain.frames.count >= 4)
    // Outermost is the program's own start, which the C library does not have.
    let outermost = try #require(chain.frames.last)
    #expect(process.place(of: outermost).path.contains("bin/"))
    #expect(process.place(of: found.pc).path.contains("libc"))
    sleeper.end()
  }

  @Test func `a process that is not there is an error that names it`() {
    let error = #expect(throws: SystemCallError.self) { try StandingProcess(pid: 0x7fff_fff0, cachePath: nil) }
    #expect(error?.path.contains("2147483632") == true)
  }
}
