package import Base
import CRecorderABI
import Glibc
package import TraceFormat
import Unwind

/// A process that stands still, unwound as a recording would: the same tables, the same C code, and no sampler.
///
/// For holding frames against a debugger's (`scripts/try-gdb`). x86-64 only.
package final class StandingProcess {
  private static let tableByteCount = 64 << 20
  private static let mapsByteCount = 16 << 20

  /// DWARF's order: rax, rdx, rcx, rbx, rsi, rdi, rbp, rsp, r8 … r15 (System V psABI x86-64, figure 3.36).
  package struct Registers: Sendable {
    package var numbered: [UInt64]
    package var pc: UInt64
    /// Stopped in a system call: `pc` is behind the instruction that counts.
    package var isInSystemCall: Bool

    package init(numbered: [UInt64], pc: UInt64, isInSystemCall: Bool) {
      self.numbered = numbered
      self.pc = pc
      self.isInSystemCall = isInSystemCall
    }
  }

  package struct Chain: Sendable {
    /// Innermost first.
    package var frames: [UInt64]
    package var result: UnwindResult
    /// The first frame that was guessed, and why.
    package var firstGuess: (frame: Int, reason: UnwindResult)?
  }

  private let pid: UInt32
  private let files = LiveProcessFileSystem()
  private let process: RecordedProcess
  private let unwinder: StackUnwinder

  /// - Parameter cachePath: where tables are kept, `nil` for nowhere.
  package init(pid: UInt32, cachePath: String?) throws(SystemCallError) {
    self.pid = pid
    let maps = ProcessMap.executable(in: try files.read("\(pid)/maps", limit: Self.mapsByteCount))
    let own = ProcessMap.executable(in: try files.read("self/maps", limit: Self.mapsByteCount)).first { $0.path == "[vdso]" }
    let cache = cachePath.flatMap { try? TableCacheDirectory(path: $0) }
    unwinder = StackUnwinder(
      arrays: try UnwindArrays(budget: Self.tableByteCount, maps: nil), source: TablesAtOnce(cache: cache),
      vdso: own.map { $0.start..<$0.end })
    process = RecordedProcess(pid: pid, facts: ProcessFacts(), startTime: 0, scannedAt: 0, programTime: 0)
    let images = ImageTable(opener: LiveImageOpener())
    for map in maps {
      let image = images.image(
        process: pid, start: map.start, byteCount: map.end &- map.start, path: map.path, device: map.device, inode: map.inode,
        generation: 0)
      _ = process.insert(
        RecordedProcess.Mapping(
          start: map.start, end: map.end, fileOffset: map.fileOffset, protection: map.protection, image: image, time: 0))
    }
    _ = unwinder.layout(of: process)
    _ = unwinder.takeFinished()
  }

  package func unwind(_ registers: Registers) -> Chain {
    var state = pyrorec_unwind_state()
    let numbered = registers.numbered + [UInt64](repeating: 0, count: max(16 - registers.numbered.count, 0))
    // Safe: 16 words are written to the first of an array of more.
    unsafe withUnsafeMutableBytes(of: &state.numbered) { to in
      unsafe numbered.withUnsafeBytes { unsafe to.copyMemory(from: .init(rebasing: $0[..<128])) }
    }
    state.fp = numbered[6]
    state.sp = numbered[7]
    state.pc = registers.pc
    state.flags = UInt64(PYROREC_STATE_REGISTERS | (registers.isInSystemCall ? PYROREC_STATE_RETURN_ADDRESS : 0))
    guard let layout = unwinder.layout(of: process) else {
      return Chain(frames: [], result: .noMapping, firstGuess: nil)
    }
    var attempt = unwinder.unwind(state, after: [], in: layout, stack: [], process: pid, isStanding: true)
    // Tables come at once; one that was put out for want of room is asked for again.
    for _ in 0..<16 {
      guard case .wait(let found, _) = attempt, unwinder.takeFinished() else { break }
      attempt = unwinder.unwind(found.state, after: found.frames, in: layout, stack: [], process: pid, isStanding: true)
    }
    switch attempt {
    case .wait(let found, _): return Chain(frames: found.frames, result: .tablesPending, firstGuess: nil)
    case .done(let found):
      let guess = found.guesses == 0 ? nil : (Int(found.firstGuess), UnwindResult(rawValue: found.guessReason) ?? .noRow)
      return Chain(frames: found.frames, result: UnwindResult(rawValue: found.result) ?? .noRegisters, firstGuess: guess)
    }
  }

  /// The file an address lies in and the address's place in it, or an empty path.
  package func place(of address: UInt64) -> (path: String, fileOffset: UInt64) {
    guard let mapping = process.mapping(at: address) else { return ("", 0) }
    return (mapping.image.path, address &- mapping.start &+ mapping.fileOffset)
  }
}

/// Builds what it is asked for while the caller waits.
private final class TablesAtOnce: TableSource {
  private let cache: TableCacheDirectory?
  private var finished: [TableOutcome] = []

  init(cache: TableCacheDirectory?) { self.cache = cache }

  func build(_ order: TableOrder) { finished.append(.table(number: order.number, order.build(cache: cache))) }
  /// No program runs.
  func awaitPrograms(_ number: Int) { finished.append(.programsEnded(number: number)) }
  func takeFinished() -> [TableOutcome] {
    defer { finished = [] }
    return finished
  }
}
