import Base
import TraceFormat

/// Executable mappings of one address space.
typealias MappingTable = IntervalMap<RecordedProcess.Mapping>

/// One program in one process, as far as the recorder knows it.
final class RecordedProcess {
  struct Mapping: AddressInterval {
    var start: UInt64
    var end: UInt64
    var fileOffset: UInt64
    var protection: UInt8
    var image: ImageTable.Image
    var time: UInt64

    mutating func moveStart(to address: UInt64) {
      fileOffset &+= address &- start
      start = address
    }
  }

  let pid: UInt32
  /// CLOCK_BOOTTIME ns; 0 when not known yet. Exact once a sample told it.
  var startTime: UInt64
  var startIsExact = false
  /// Events older than this are already in what `/proc` said; 0 for a process that was seen to begin.
  var scannedAt: UInt64
  /// When the program began.
  var programTime: UInt64
  var facts: ProcessFacts
  /// Reads of facts still to try, because the kernel had not set them up yet.
  var attemptsLeft = 0
  private(set) var executable = MappingTable()
  /// Executable mappings, ascending, never overlapping.
  var mappings: [Mapping] { executable.intervals }
  /// Given when the first sample comes: what no sample hits is not written.
  var handle: ProcessHandle?
  var space: AddressSpaceHandle?
  var exitedAt: UInt64?
  /// The mappings as the sampler's unwinder was given them; `nil` after a change.
  var layout: UnwindLayout?
  /// The interpreter it runs; `nil` for none that is known.
  var interpreter: RunningInterpreter?
  /// The last change of what an address means: samples unwound in an older generation are right only before it.
  var change: Change?
  struct Change {
    /// The first generation that knows of it.
    var generation: UInt64
    var begin: UInt64
    var end: UInt64
  }

  init(pid: UInt32, facts: ProcessFacts, startTime: UInt64, scannedAt: UInt64, programTime: UInt64) {
    self.pid = pid
    self.facts = facts
    self.startTime = startTime
    self.scannedAt = scannedAt
    self.programTime = programTime
  }

  /// The child of a fork: same program, same mappings, another process.
  init(forkOf parent: RecordedProcess, pid: UInt32, time: UInt64) {
    self.pid = pid
    facts = parent.facts
    facts.parent = parent.pid
    startTime = 0
    scannedAt = 0
    programTime = time
    executable = parent.executable
    layout = parent.layout
    change = parent.change
  }

  enum Insertion { case known, added, replaced }

  /// What a new mapping did to the ones that were there.
  func insert(_ mapping: Mapping) -> Insertion {
    guard mapping.start < mapping.end else { return .known }
    let overlapping = executable.positions(overlapping: mapping.start, mapping.end)
    if overlapping.isEmpty {
      executable.insert(mapping, over: overlapping)
      layout = nil
      return .added
    }
    // mprotect and a mapping that grows report the same file at the same place again, and a code cache its memory:
    // what an address means stays the same.
    let first = mappings[overlapping.lowerBound]
    let isSame = mappings[overlapping].allSatisfy { old in
      old.image === mapping.image
        && (mapping.image.kind == .anonymous || old.start &- old.fileOffset == mapping.start &- mapping.fileOffset)
    }
    if isSame, overlapping.count == 1, mapping.start >= first.start, mapping.end <= first.end { return .known }
    executable.insert(mapping, over: overlapping)
    layout = nil
    return isSame ? .added : .replaced
  }

  /// What lies there means something else from `generation` on.
  func noteChange(generation: UInt64, _ begin: UInt64, _ end: UInt64) {
    guard let before = change else {
      change = Change(generation: generation, begin: begin, end: end)
      return
    }
    change = Change(generation: generation, begin: min(before.begin, begin), end: max(before.end, end))
  }

  func removeAllMappings() {
    executable.removeAll()
    layout = nil
  }

  func mapping(at address: UInt64) -> Mapping? { executable.interval(at: address) }
}

/// A thread and the record it has, if any.
struct RecordedThread {
  var process: UInt32
  var comm: String
  var handle: ThreadHandle?
  /// The program the handle was given under.
  var owner: ProcessHandle?
}
