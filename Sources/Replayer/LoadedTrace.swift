import Base
package import TraceFormat

/// A segment file read into memory: what it says, and what of it could not be read.
package struct LoadedTrace: Sendable {
  package let reader: SegmentReader
  package private(set) var contents: TraceContents
  /// In file order; what lies in copies of images only after `checkCopies`.
  package private(set) var damage: [DamagedRegion]
  /// Records of kinds this version does not know.
  package let unknownRecords: UInt64

  /// Copies of images stay in the file until they are asked for.
  private static let kinds: KindSet = {
    var kinds = KindSet.all
    kinds.remove(KindSet(.imageChunk))
    kinds.remove(KindSet(.stackCopy))
    return kinds
  }()

  /// Reads `path` on up to `workers` threads. The result does not depend on their number.
  package init(path: String, workers: Int) throws(ReplayError) {
    do throws(TraceError) {
      try self.init(SegmentReader(path: path), workers: workers)
    } catch {
      throw .trace(error)
    }
    try completeStacks(workers: workers)
    try nameReplacedCode(workers: workers)
  }

  package init(_ reader: SegmentReader, workers: Int) throws(TraceError) {
    self.reader = reader
    var contents = TraceContents()
    var damage = reader.damage
    var unknown: UInt64 = 0
    let chosen = reader.frames.filter { !$0.kinds.isDisjoint(with: Self.kinds) }
    // Few frames at a time, so that a long trace is never in memory whole.
    try parallelForEach(
      count: chosen.count, workers: workers, ahead: max(workers, 1) * 4,
      { index in Result { () throws(TraceError) in try reader.decode(chosen[index], kinds: Self.kinds) } },
      consume: { (result) throws(TraceError) in
        let frame = try result.get()
        damage += frame.damage
        for record in frame.records { contents.add(record) }
        for (kind, count) in frame.counts where !RecordKind.all.contains(kind) { unknown += count }
      })
    self.contents = contents
    self.damage = damage
    unknownRecords = unknown
  }

  /// Finds the callers that the recorder had no tables for, where the samples' stacks are in the trace.
  private mutating func completeStacks(workers: Int) throws(ReplayError) {
    guard contents.unwindResults[UnwindResult.tablesPending.rawValue] != nil else { return }
    var completed: [StackCopies.Unwound] = []
    try StackCopies(of: self, workers: workers).forEach(onlyUnfinished: true) { unwound in
      if unwound.outcome == .completed { completed.append(unwound) }
    }
    var known: [TraceContents.CompletedStack: StackHandle] = [:]
    for unwound in completed { contents.complete(unwound.record, frames: unwound.found, result: unwound.result, known: &known) }
  }

  /// Gives samples in code that made way for other code stacks in which it is what it was.
  private mutating func nameReplacedCode(workers: Int) throws(ReplayError) {
    guard var replaced = ReplacedCode(contents) else { return }
    let kinds = KindSet(.samples)
    let frames = reader.frames.filter { $0.kinds.contains(.samples) }
    let reader = reader
    var contents = contents
    do throws(TraceError) {
      try parallelForEach(
        count: frames.count, workers: workers, ahead: max(workers, 1) * 4,
        { index in Result { () throws(TraceError) in try reader.decode(frames[index], kinds: kinds) } },
        consume: { (result) throws(TraceError) in
          for case .samples(let batch) in try result.get().records {
            for sample in batch.samples { replaced.place(sample, in: &contents) }
          }
        })
    } catch {
      throw .trace(error)
    }
    self.contents = contents
  }

  /// The contents, for whoever makes a replay of them and nothing else: the frames of stacks, which are most of it, stay
  /// with the replay alone, which lets them go when it is done with them.
  package mutating func takeContents() -> TraceContents {
    defer { contents.trie.forgetFrames() }
    return contents
  }

  /// Whether the recorder finished the file and all of it reads.
  package var isComplete: Bool { reader.isClosed && damage.isEmpty && contents.inconsistentRecords == 0 }

  /// Reads the frames that hold copies of images too, which loading leaves alone, and notes their damage.
  package mutating func checkCopies(workers: Int) throws(ReplayError) {
    do throws(TraceError) {
      damage += try reader.forEachFrame(kinds: KindSet(.imageChunk), workers: workers) { _ in }
    } catch {
      throw .trace(error)
    }
  }
}
