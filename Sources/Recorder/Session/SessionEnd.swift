import Base
import Dispatch
import Glibc
import TraceFormat

/// How a recording ends: what still waits is written, and the report says how it went.
extension RecordingSession {
  /// Waits for the tables that samples wait for, so long.
  static let tablesPatience: UInt64 = 3_000_000_000

  func finishStacks() {
    let deadline = Clock.monotonic() &+ Self.tablesPatience
    while core.hasWaitingStacks, Clock.monotonic() < deadline, !isInterrupted {
      Self.pause(5_000_000)
      attempt { () throws(TraceError) in try core.takeTables() }
    }
    attempt { () throws(TraceError) in try core.giveUpWaiting() }
  }

  func note(_ ending: CommandProcess.Ending) {
    report.commandStatus = ending.status
    if case .signalled(let signal) = ending { report.commandSignal = signal }
  }

  func finish(command: CommandProcess?, start: UInt64, stop: UInt64, end: RecordingReport.End) {
    if let process = command, report.commandStatus == nil {
      // Ctrl-C reaches the command as well, which may end in its own way; a signal to the recorder alone does not.
      // A command that does not go is left alone after two seconds; its status stays unknown.
      for round in 0..<200 {
        if round == (end == .interrupted ? 20 : 0) { process.terminate() }
        if let ending = process.poll() {
          note(ending)
          break
        }
        Self.pause(10_000_000)
      }
    }
    copier.finish { isInterrupted }
    writeOtherFacts(isLast: true)
    failure = failure ?? copier.writeFailure
    var finalEnd = end
    if let failure {
      finalEnd = .diskFull
      report.writeFailure = "\(failure)"
    }
    var facts = [("end.reason", finalEnd.rawValue), ("end.time", String(stop))]
    if let status = report.commandStatus { facts.append(("command.exit_status", String(status))) }
    if let signal = report.commandSignal { facts.append(("command.signal", String(signal))) }
    if !core.interpreterRefusals.isEmpty {
      facts.append(("interpreters.refused", core.interpreterRefusals.joined(separator: "\n")))
    }
    for (name, value) in facts.sorted(by: { $0.0 < $1.0 }) {
      attempt { () throws(TraceError) in try writer.append(.sessionFact(SessionFactRecord(name: name, value: value))) }
    }
    do throws(TraceError) {
      try Self.close(writer, tries: 4, configuration.windows)
      report.path = writer.path
    } catch {
      unwrittenSamples += writer.unwritten.samples
      report.writeFailure = report.writeFailure ?? "\(error)"
      report.path = SegmentWriter.partialPath(writer.path)
      finalEnd = .writeFailed
    }
    report.end = finalEnd
    report.samples = core.totals.samples
    report.lostSamples = core.totals.lostSamples
    report.processes = core.totals.processes
    report.interpreterRefusals = core.interpreterRefusals
    report.durationNanoseconds = stop &- start
    report.byteCount = writer.byteCount
    guard let windows = configuration.windows else { return }
    closing.sync {}
    var window = closedWindow(stop: stop)
    window.path = report.path
    window.byteCount = report.byteCount
    window.writeFailure = report.writeFailure
    windows.onClosed(window)
  }
}
