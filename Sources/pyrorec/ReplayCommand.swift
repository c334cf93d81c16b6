import ArgumentParser
import Base
import Glibc
import Replayer
import TraceFormat

struct ReplayCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "replay",
    abstract: "Run every offline stage over golden traces and compare with what they gave before.",
    discussion: """
      Examples:
        pyrorec replay fixtures/traces
        pyrorec replay --record-goldens fixtures/traces/chain.seg

      Beside NAME.seg lie NAME.collapsed.txt, NAME.pprof.txt and NAME.report.json. Exit status 1 when one differs.

      Stacks that a trace holds copies of (record --stack-copies) are unwound again, by the files in the trace alone; exit
      status 1 when one comes out differently than in the recording.
      """)

  @Argument(help: "Traces, or directories of them; fixtures/traces when none is named.")
  var fixtures: [String] = []

  @Flag(help: "Write the outputs as the new goldens instead of comparing.")
  var recordGoldens = false

  @OptionGroup var workers: WorkerOptions
  @OptionGroup var messages: MessageOptions

  func run() throws {
    let console = messages.console
    var failures = 0
    let paths = try (fixtures.isEmpty ? ["fixtures/traces"] : fixtures).flatMap { try traces(at: $0, console) }
    for path in paths {
      let trace = try console.load(path, workers: workers.count)
      if try !unwindsAsRecorded(trace, path, console) { failures += 1 }
      for output in GoldenOutputs(of: trace, workers: workers.count).outputs {
        let golden = String(path.dropLast(4)) + output.suffix
        if recordGoldens {
          try console.write(output.bytes, to: golden)
          console.note("\(golden): written")
        } else if !isAsGolden(output, golden, console) {
          failures += 1
        }
      }
    }
    guard !recordGoldens else { return }
    console.note("\(paths.count) traces replayed, \(failures) outputs differ")
    if failures > 0 { throw ExitCode(ExitStatus.failed) }
  }

  /// Unwinds the stacks again that the trace holds copies of, and says what came of it.
  private func unwindsAsRecorded(_ trace: LoadedTrace, _ path: String, _ console: Console) throws -> Bool {
    var check = StackCheck()
    do throws(ReplayError) {
      try StackCopies(of: trace, workers: workers.count).forEach(onlyUnfinished: false) { check.note($0) }
    } catch {
      console.error("\(path): \(error)")
      throw ExitCode(ExitStatus.failed)
    }
    if let line = check.summary { console.note("\(path): \(line)") }
    for line in check.differences { console.error("\(path): \(line)") }
    return !check.hasDifferences
  }

  private func isAsGolden(_ output: GoldenOutputs.Output, _ golden: String, _ console: Console) -> Bool {
    let expected: [UInt8]
    do throws(SystemCallError) {
      expected = try contents(of: golden, limit: 256 << 20)
    } catch {
      console.error("\(error); write it with --record-goldens")
      return false
    }
    let difference = TextDifference(from: String(decoding: expected, as: UTF8.self), to: String(decoding: output.bytes, as: UTF8.self))
    guard !difference.isEmpty || expected != output.bytes else { return true }
    console.error("\(golden) differs:\n" + difference.lines.joined(separator: "\n"))
    return false
  }

  /// The trace itself, or the traces in a directory by name.
  private func traces(at path: String, _ console: Console) throws -> [String] {
    var status = stat()
    guard unsafe stat(path, &status) == 0 else {
      console.error("\(SystemCallError(call: "stat", path: path, code: errno))")
      throw ExitCode(ExitStatus.failed)
    }
    guard status.st_mode & S_IFMT == S_IFDIR else {
      guard path.hasSuffix(".seg") else {
        console.error("\(path): a golden trace is called NAME.seg")
        throw ExitCode(ExitStatus.misuse)
      }
      return [path]
    }
    let found = DirectoryListing.names(in: path).filter { $0.hasSuffix(".seg") }.map { path + "/" + $0 }
    guard !found.isEmpty else {
      console.error("\(path): no NAME.seg in it")
      throw ExitCode(ExitStatus.failed)
    }
    return found
  }
}
