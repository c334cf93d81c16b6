import Base
package import JFR

/// What is in a recording, beside its profiles.
package struct JavaSummary: Sendable {
  package var chunks = 0
  package var byteCount = 0
  /// Nanoseconds since 1970; 0 without any chunk.
  package var startNanoseconds: Int64 = 0
  package var endNanoseconds: Int64 = 0
  package var machine = ""
  package var profiler = ""
  /// By the event's name.
  package var events: [String: Int] = [:]
  /// Where, from the file's first byte, and what is wrong there.
  package var problems: [(offset: Int, problem: ChunkProblem)] = []
  package var malformedEvents = 0
  /// Samples whose stack the chunk does not have.
  package var missingStacks = 0
  package var lostSamples: Int64 = 0
  package var hasExecutionSamplesOnly = false
  package var notes: [String] = []

  package var isComplete: Bool { problems.isEmpty && malformedEvents == 0 && missingStacks == 0 }
  package var durationNanoseconds: Int64 { max(0, endNanoseconds &- startNanoseconds) }
}

/// A recording as it is read, chunk by chunk; only distinct stacks and their sums are held.
package struct JavaRecording {
  package internal(set) var summary = JavaSummary()
  let options: JavaOptions
  var table = StackTable()
  var labels = LabelTable()
  var settings = JavaSettings()
  /// By metric; `cpu` from execution samples and `cpuTime` from CPU-time samples, of which one is shown.
  var sets = Array(repeating: SampleSet(), count: JavaMetric.allCases.count)
  var cpuTime = SampleSet()
  var cpuTimePeriod: Int64 = 0
  var executionPeriod: Int64 = 0
  var wallPeriod: Int64 = 0
  var memory = NativeMemory()
  var earlier = EarlierStacks()

  package init(_ options: JavaOptions) { self.options = options }

  /// How the chunks read from now on were sampled, unless they say otherwise: async-profiler's own options. Only the first
  /// chunk of its recordings says it.
  package mutating func assume(_ options: String) { settings.assume(options) }

  /// The chunks read from now on are another JVM's.
  package mutating func beginJVM() { earlier = EarlierStacks() }

  /// Reads every chunk of `bytes`, a whole file.
  /// - Parameters:
  ///   - finished: called with the offset up to which the file is no longer needed.
  /// - Throws: when nothing of it can be read.
  package mutating func read(_ bytes: RawSpan, finished: (Int) -> Void = { _ in }) throws(ChunkProblem) {
    summary.byteCount = bytes.byteCount
    var walk = ChunkWalk(bytes)
    while let part = walk.next() {
      if let problem = part.problem { summary.problems.append((part.range.lowerBound, problem)) }
      if part.isChunk {
        do throws(ChunkProblem) {
          let chunk = try Chunk(bytes.extracting(part.range), pools: ChunkNames.pools)
          add(chunk, at: part.range.lowerBound)
        } catch { summary.problems.append((part.range.lowerBound, error)) }
      }
      finished(part.range.upperBound)
    }
    if summary.chunks == 0 { throw summary.problems.first?.problem ?? .unfinished("it is empty") }
  }

  private mutating func add(_ chunk: borrowing Chunk, at offset: Int) {
    if let problem = chunk.problem, summary.problems.last?.offset != offset { summary.problems.append((offset, problem)) }
    let header = chunk.header
    let end = header.startNanoseconds &+ max(0, header.durationNanoseconds)
    summary.startNanoseconds = summary.chunks == 0 ? header.startNanoseconds : min(summary.startNanoseconds, header.startNanoseconds)
    summary.endNanoseconds = summary.chunks == 0 ? end : max(summary.endNanoseconds, end)
    summary.chunks += 1
    if !earlier.isContinued(by: header) { earlier = EarlierStacks() }
    var pass = ChunkPass(chunk, options)
    let requests = JavaEvent.allCases.map(\.request)
    var events = EventCursor(chunk, requests)
    pass.run(&events, chunk, &self)
    pass.fold(chunk, &self)
    summary.malformedEvents += events.malformedEvents
    if let problem = events.problem, summary.problems.last?.offset != offset { summary.problems.append((offset, problem)) }
    for (id, count) in events.countsBySmallType.enumerated() where count > 0 && id > 1 {
      summary.events[chunk.types[id: Int64(id)]?.name ?? "type \(id)", default: 0] += count
    }
    if events.otherEvents > 0 { summary.events["other", default: 0] += events.otherEvents }
  }
}

/// The labels that samples carry, and their numbers.
struct LabelTable {
  struct Labels: Hashable, Sendable {
    var thread: [UInt8] = []
    var state: [UInt8] = []
    var span: Int64 = 0
    var spanName: [UInt8] = []
  }
  private(set) var all: [Labels] = [Labels()]
  private var numbers: [Labels: UInt32] = [Labels(): 0]
  /// Beyond it samples lose their labels.
  static let maximum = 1 << 20

  mutating func number(_ labels: Labels) -> UInt32 {
    if let known = numbers[labels] { return known }
    guard all.count < Self.maximum else { return 0 }
    let number = UInt32(truncatingIfNeeded: all.count)
    all.append(labels)
    numbers[labels] = number
    return number
  }
}
