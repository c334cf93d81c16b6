import ArgumentParser
import Base
import Glibc
import Replayer
import Symbolize
import TraceFormat

struct ExtractCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "extract",
    abstract: "Write the ELF copies of a trace as files, laid out as a debug directory, and JVMs' own recordings.",
    discussion: """
      Example:
        pyrorec extract -o debug && gdb -ex 'set debug-file-directory debug' ./program

      A copy with a build ID becomes DIR/.build-id/ab/cdef….debug, one without DIR/its/own/path. Copies keep the files'
      own offsets; what was not copied is a hole. What a JVM recorded of itself becomes DIR/jfr/NUMBER.jfr.
      """)

  @Argument(help: "The trace; trace.seg in the current directory when not named.")
  var file = "trace.seg"

  @Option(name: [.short, .long], help: ArgumentHelp("The directory to write to.", valueName: "dir"))
  var output: String

  @OptionGroup var workers: WorkerOptions
  @OptionGroup var messages: MessageOptions

  func run() throws {
    let console = messages.console
    let trace = try console.load(file, workers: workers.count)
    let copies = RecordedCopies(trace)
    var written = 0
    var missing = 0
    for handle in trace.contents.images.keys.sorted() {
      guard let image = trace.contents.images[handle], let end = trace.contents.imageEnds[handle],
        end.outcome == .symbols || end.outcome == .full
      else { continue }
      guard let copy = copies.copy(of: image.handle) else {
        console.warning("\(image.path): its copy is not whole")
        missing += 1
        continue
      }
      let path = output + "/" + Self.name(of: image)
      do throws(SystemCallError) {
        try FileName.createDirectory(of: path)
        try Self.write(copy, to: path)
      } catch {
        console.error("\(error)")
        throw ExitCode(ExitStatus.failed)
      }
      console.detail("\(image.path) -> \(path)")
      written += 1
    }
    written += try writeRecordings(of: trace.contents, console)
    console.note("\(output): \(written) files")
    if missing > 0 { throw ExitCode(ExitStatus.failed) }
  }

  /// What JVMs recorded of themselves: a file each program, its chunks one after the other, as the JDK writes them.
  private func writeRecordings(of contents: TraceContents, _ console: Console) throws -> Int {
    var paths: [UInt32: String] = [:]
    for chunk in contents.javaChunks.all {
      let isNew = paths[chunk.process] == nil
      let path = paths[chunk.process] ?? "\(output)/jfr/\(chunk.process).jfr"
      paths[chunk.process] = path
      do throws(SystemCallError) {
        if isNew { try FileName.createDirectory(of: path) }
        let file = try OwnedDescriptor(open: path, O_WRONLY | O_CREAT | (isNew ? O_TRUNC : O_APPEND), mode: 0o644)
        try file.write(chunk.bytes.borrowedBytes, path: path)
      } catch {
        console.error("\(error)")
        throw ExitCode(ExitStatus.failed)
      }
      if isNew { console.detail("program \(chunk.process)'s own recording -> \(path)") }
    }
    return paths.count
  }

  /// Where a copy goes below the directory. A path from a container may hold `..`: those parts are left out.
  private static func name(of image: ImageRecord) -> String {
    if let hex = image.buildID?.hex, hex.count > 2 {
      return ".build-id/\(hex.prefix(2))/\(hex.dropFirst(2)).debug"
    }
    let parts = image.path.split(separator: "/").filter { $0 != ".." && $0 != "." && !$0.utf8.contains(0) }
    return parts.isEmpty ? "image-\(image.handle)" : parts.joined(separator: "/")
  }

  /// Pages of zeros become holes.
  private static func write(_ copy: ImageBytes, to path: String) throws(SystemCallError) {
    let file = try OwnedDescriptor(open: path, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o644)
    let bytes = copy.bytes
    let page = 65536
    var offset = 0
    while offset < bytes.byteCount {
      let piece = bytes.extracting(offset..<min(offset + page, bytes.byteCount))
      if !isZero(piece) {
        guard lseek(file.rawValue, off_t(offset), SEEK_SET) >= 0 else { throw SystemCallError(call: "lseek", path: path, code: errno) }
        try file.write(piece, path: path)
      }
      offset += page
    }
    guard ftruncate(file.rawValue, off_t(bytes.byteCount)) == 0 else { throw SystemCallError(call: "ftruncate", path: path, code: errno) }
  }

  private static func isZero(_ bytes: RawSpan) -> Bool {
    for offset in 0..<bytes.byteCount where bytes.byte(at: offset) != 0 { return false }
    return true
  }
}
