import ArgumentParser
import Base
import Debuginfod
import Glibc
import Replayer
import Symbolize
import TraceFormat

/// The traces a command works on.
struct TraceArguments: ParsableArguments {
  @Argument(help: "Traces; trace.seg in the current directory when none is named.")
  var files: [String] = []

  var paths: [String] { files.isEmpty ? ["trace.seg"] : files }
}

/// How many threads a stage may use.
struct WorkerOptions: ParsableArguments {
  @Option(help: "Threads to use; the output does not depend on it.")
  var workers: Int?

  var count: Int { max(1, min(workers ?? sysconf(Int32(_SC_NPROCESSORS_ONLN)), 256)) }
}

/// Where debug files are looked for.
struct SymbolOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Look for debug files here first. May be given again.", valueName: "dir"))
  var debugDirectory: [String] = []

  @Option(help: ArgumentHelp("Look for files and debug files below this directory before the system's own.", valueName: "dir"))
  var sysroot: String?

  @Flag(name: .customLong("no-inlines"), help: "Leave out the frames of functions that the compiler inlined.")
  var omitsInlines = false

  @Option(
    help: ArgumentHelp(
      "Ask this debuginfod server for debug files that nothing on this machine has, before those of DEBUGINFOD_URLS. May be given again.",
      valueName: "url"))
  var debuginfodURL: [String] = []

  @Flag(help: "Ask no server for debug files; what is in the debuginfod cache is used all the same.")
  var offline = false

  @Flag(
    name: .customLong("no-cache"),
    help: "Read debug files again and keep nothing of them: lines that were looked up before are otherwise kept for the next run.")
  var keepsNothing = false

  func validate() throws {
    for url in debuginfodURL where !url.hasPrefix("http://") && !url.hasPrefix("https://") {
      throw ValidationError("--debuginfod-url \(url): a URL starts with http:// or https://")
    }
  }

  func stage(for trace: LoadedTrace, workers: Int) -> SymbolizeStage {
    let copies = RecordedCopies(trace)
    let roots = RecordedProcessRoots(trace)
    let files = MappedFileAccess()
    var configuration = DebuginfodConfiguration(
      servers: debuginfodURL, environment: Environment.value, isDirectory: { (try? files.checkDirectory($0)) != nil })
    configuration.isOffline = offline
    let locator = ImageLocator(
      debugDirectories: debugDirectory, sysroot: sysroot, access: files, recordedCopy: { copies.copy(of: $0) },
      processRoots: { roots.paths(for: $0) }, remote: DebuginfodClient(configuration))
    return SymbolizeStage(
      symbolizer: Symbolizer(locator: locator, showsInlines: !omitsInlines, prepared: preparedLines), workers: workers,
      kernelRelease: trace.reader.header.kernelRelease)
  }

  /// `nil` when there is nowhere to keep them: every run then reads the debug files again.
  private var preparedLines: PreparedLines? {
    guard !keepsNothing, let path = Self.cachePath, let directory = try? PreparedLineDirectory(path: path) else { return nil }
    return PreparedLines(directory)
  }

  /// Of root the directory of the unwind tables, of others the one for caches.
  private static var cachePath: String? {
    if geteuid() == 0 { return "/var/cache/pyrorec" }
    func value(_ name: String) -> String? { Environment.value(name).flatMap { $0.isEmpty ? nil : $0 } }
    return (value("XDG_CACHE_HOME") ?? value("HOME").map { $0 + "/.cache" }).map { $0 + "/pyrorec" }
  }
}

extension Console {
  /// Opens a trace or ends the command with the status that its failure asks for.
  func load(_ path: String, workers: Int) throws -> LoadedTrace {
    do throws(ReplayError) {
      let trace = try LoadedTrace(path: path, workers: workers)
      warnOfDamage(in: trace)
      return trace
    } catch {
      self.error("\(error)")
      switch error {
      case .trace(let cause): throw ExitCode(cause.isUnreadableTrace ? ExitStatus.notATrace : ExitStatus.failed)
      }
    }
  }

  private func warnOfDamage(in trace: LoadedTrace) {
    if !trace.reader.isClosed {
      warning("\(trace.reader.path): the recorder did not finish this file; everything it had written is used")
    }
    for region in trace.damage.prefix(5) { warning("\(trace.reader.path): damaged: \(region)") }
    if trace.damage.count > 5 { warning("\(trace.reader.path): \(trace.damage.count - 5) more damaged regions; see `pyrorec verify`") }
    if trace.contents.lostSamples > 0 { warning("\(trace.reader.path): \(trace.contents.lostSamples) samples were lost while recording") }
  }
}
