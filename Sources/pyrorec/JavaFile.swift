import ArgumentParser
import Base
import Glibc
import JFR
import JavaProfiles
import Profile

/// What may be asked of recordings of JVMs, beside what holds for every trace.
struct JavaArguments: ParsableArguments {
  @Option(help: ArgumentHelp("JFR: label samples with their thread: off, name, pool (digits as *) or id.", valueName: "detail"))
  var threadLabels = ThreadDetail.off

  @Flag(help: "JFR: label samples with their thread's state.")
  var stateLabels = false

  var options: JavaOptions {
    var options = JavaOptions()
    options.threads = threadLabels
    options.states = stateLabels
    return options
  }
}

extension ThreadDetail: ExpressibleByArgument {}

/// A recording of a JVM: a file of Java Flight Recorder or async-profiler.
enum JavaFile {
  /// Whether the file at `path` begins as a flight recording. A file that cannot be read is none.
  static func isRecording(_ path: String) -> Bool {
    do throws(SystemCallError) {
      return ChunkHeader.isRecording(try OwnedDescriptor(open: path, O_RDONLY).read(at: 0, count: 4, path: path))
    } catch { return false }
  }

  /// Reads the recording at `path`, or ends the command with the status that its failure asks for.
  static func load(_ path: String, _ options: JavaOptions, _ console: Console) throws -> (JavaSummary, [JavaProfile]) {
    var recording = JavaRecording(options)
    do throws(SystemCallError) {
      let file = try MappedFile(path: path)
      do throws(ChunkProblem) {
        try recording.read(file.bytes) { _ in file.releasePages() }
      } catch {
        console.error("\(path) \(error)")
        throw SystemCallError(call: "", path: path, code: 0)
      }
    } catch {
      if error.code == 0 { throw ExitCode(ExitStatus.notATrace) }
      console.error("\(error)")
      throw ExitCode(ExitStatus.failed)
    }
    let profiles = recording.profiles()
    warn(recording.summary, path, console)
    return (recording.summary, profiles)
  }

  private static let shownProblems = 5

  private static func warn(_ summary: JavaSummary, _ path: String, _ console: Console) {
    for (offset, problem) in summary.problems.prefix(shownProblems) {
      console.warning("\(path): the chunk at byte \(offset) \(problem)")
    }
    if summary.problems.count > shownProblems {
      console.warning("\(path): \(summary.problems.count - shownProblems) more problems; see `pyrorec inspect`")
    }
    if summary.malformedEvents > 0 { console.warning("\(path): \(summary.malformedEvents) events could not be read") }
    if summary.missingStacks > 0 { console.warning("\(path): \(summary.missingStacks) samples have a stack that is not in the file") }
    if summary.hasExecutionSamplesOnly {
      console.note("\(path): the JVM samples only some of its running threads; CPU shares are right, totals are not CPU time")
    }
    for note in summary.notes { console.note("\(path): \(note)") }
  }
}

extension JavaSummary {
  func text(_ profiles: [JavaProfile]) -> [UInt8] {
    var lines: [String] = []
    func row(_ name: String, _ value: String) {
      lines.append(name + String(repeating: " ", count: max(1, 14 - name.count)) + value)
    }
    row("recording", "Java Flight Recorder, \(chunks) chunks, \(byteCount) bytes" + (isComplete ? "" : "  (damaged or unfinished)"))
    if !machine.isEmpty { row("machine", machine) }
    if !profiler.isEmpty { row("profiler", profiler) }
    row("duration", "\(Double(durationNanoseconds / 1_000_000) / 1000) s")
    for profile in profiles {
      let values = profile.totals.map { "\($0.value) \($0.name)" }.joined(separator: ", ")
      row("profile", "\(profile.metric.name) (\(profile.seriesName)): \(values)")
    }
    for name in events.keys.sorted() { row("  events", "\(name): \(events[name] ?? 0)") }
    if lostSamples > 0 { row("lost", "\(lostSamples) samples") }
    if malformedEvents > 0 { row("damage", "\(malformedEvents) events could not be read") }
    if missingStacks > 0 { row("damage", "\(missingStacks) samples have a stack that is not in the file") }
    for (offset, problem) in problems { row("damage", "the chunk at byte \(offset) \(problem)") }
    return Array((lines.joined(separator: "\n") + "\n").utf8)
  }

  func json(_ profiles: [JavaProfile]) -> [UInt8] {
    var json = JSONWriter()
    json.object {
      $0.object("format") {
        $0.field("name", "jfr")
        $0.field("major", 2)
      }
      $0.field("complete", isComplete)
      $0.field("bytes", byteCount)
      $0.field("chunks", chunks)
      $0.field("start_nanoseconds", startNanoseconds)
      $0.field("duration_seconds", Double(durationNanoseconds) / 1e9)
      $0.field("machine", machine)
      $0.field("profiler", profiler)
      $0.object("samples") {
        $0.field("lost", lostSamples)
        $0.field("without_stack", missingStacks)
      }
      $0.object("events") { for name in events.keys.sorted() { $0.field(name, events[name] ?? 0) } }
      $0.array("profiles") {
        for profile in profiles {
          $0.object {
            $0.field("name", profile.metric.name)
            $0.field("series", profile.seriesName)
            $0.field("stacks", profile.profile.samples.count)
            $0.field("period", profile.profile.period)
            $0.object("totals") { for total in profile.totals { $0.field(total.name, total.value) } }
          }
        }
      }
      $0.object("damage") {
        $0.field("events", malformedEvents)
        $0.array("chunks") {
          for (offset, problem) in problems {
            $0.object {
              $0.field("offset", offset)
              $0.field("problem", "\(problem)")
            }
          }
        }
      }
    }
    return json.bytes + [0x0a]
  }
}

extension JavaProfile {
  /// The sum of each value over all samples, at most the largest number.
  var totals: [(name: String, value: Int64)] {
    profile.sampleTypes.enumerated().map { column, type in
      (profile.strings[type.kind] + "_" + profile.strings[type.unit], profile.total(ofType: column) ?? .max)
    }
  }
}
