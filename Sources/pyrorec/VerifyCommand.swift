import ArgumentParser
import Base
import Replayer
import TraceFormat

struct VerifyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Check every checksum and reference of a trace, and say what can be recovered.",
    discussion: """
      Example:
        pyrorec verify trace.seg.part

      Exit status 0: all of it is sound (a .part file too, as far as it was written, though its last frame may have been cut
      short when the recorder was killed). 1: something is damaged, the rest can be used. 65: nothing can be read.
      """)

  @OptionGroup var traces: TraceArguments
  @OptionGroup var workers: WorkerOptions
  @OptionGroup var messages: MessageOptions

  func run() throws {
    let console = messages.console
    var isDamaged = false
    var isUnreadable = false
    var text = ""
    for path in traces.paths {
      do throws(TraceError) {
        // Without the index, so that what lies in the file itself is what is checked.
        let reader = try SegmentReader(path: path, ignoringIndex: true)
        let trace = try LoadedTrace(reader, workers: workers.count)
        let copies = try checkCopies(trace)
        let lines = findings(trace, copies)
        isDamaged = isDamaged || !lines.isEmpty
        text += describe(path, trace, lines)
      } catch {
        console.error("\(error)")
        isUnreadable = isUnreadable || error.isUnreadableTrace
        isDamaged = true
      }
    }
    try console.write(Array(text.utf8), to: nil)
    if isUnreadable { throw ExitCode(ExitStatus.notATrace) }
    if isDamaged { throw ExitCode(ExitStatus.failed) }
  }

  private struct CopyCheck {
    var frames = 0
    var damage: [DamagedRegion] = []
    var incomplete: [String] = []
  }

  /// Decompresses every copy of an image and adds up its chunks.
  private func checkCopies(_ trace: LoadedTrace) throws(TraceError) -> CopyCheck {
    var check = CopyCheck()
    var bytes: [UInt32: UInt64] = [:]
    for frame in trace.reader.frames where frame.kinds.contains(.imageChunk) {
      let decoded = try trace.reader.decode(frame, kinds: KindSet(.imageChunk))
      check.frames += 1
      check.damage += decoded.damage
      for case .imageChunk(let chunk) in decoded.records { bytes[chunk.image.rawValue, default: 0] &+= UInt64(chunk.bytes.count) }
    }
    for image in trace.contents.imageEnds.keys.sorted() {
      guard let end = trace.contents.imageEnds[image], end.outcome == .symbols || end.outcome == .full else { continue }
      let path = trace.contents.images[image]?.path ?? "image \(image)"
      if bytes[image] ?? 0 != end.copiedByteCount { check.incomplete.append(path) }
    }
    return check
  }

  private func findings(_ trace: LoadedTrace, _ copies: CopyCheck) -> [String] {
    // What was being written when its writer was stopped is no damage to what had been written.
    let damage = trace.reader.hasTornTail ? trace.damage.filter { $0 != trace.reader.damage.last } : trace.damage
    var lines = (damage + copies.damage).map { "damaged: \($0)" }
    if trace.contents.inconsistentRecords > 0 {
      lines.append("\(trace.contents.inconsistentRecords) records refer to others that are not there")
    }
    let lost = trace.contents.groups.count {
      !trace.contents.hasStack($0.userStack) || !trace.contents.hasStack($0.kernelStack) || $0.process == .max
    }
    if lost > 0 { lines.append("\(lost) distinct samples have lost their stack or program") }
    for path in copies.incomplete { lines.append("the copy of \(path) is not whole and is not used") }
    return lines
  }

  private func describe(_ path: String, _ trace: LoadedTrace, _ lines: [String]) -> String {
    let contents = trace.contents
    var text = "\(path): "
    switch (lines.isEmpty, trace.reader.isClosed) {
    case (true, true) where trace.reader.hasTornTail: text += "sound; what was being appended is not there"
    case (true, true): text += "sound"
    case (true, false): text += "sound as far as it was written; the recorder did not finish it"
    default: text += "damaged"
    }
    text += "\n  \(trace.reader.frames.count) frames, \(contents.sampleCount) samples, \(contents.trie.stackCount) stacks, "
    text += "\(contents.processes.count) programs, \(contents.images.count) images can be used\n"
    if trace.reader.hasTornTail, let tail = trace.reader.damage.last { text += "  never written to its end: \(tail)\n" }
    for line in lines.prefix(20) { text += "  \(line)\n" }
    if lines.count > 20 { text += "  and \(lines.count - 20) more\n" }
    return text
  }
}
