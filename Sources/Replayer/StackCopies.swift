import Base
import ObjectFile
import Symbolize
package import TraceFormat
import Unwind

/// The stack copies of a trace, unwound again by tables made from the recorded ELF copies alone.
package struct StackCopies: Sendable {
  /// What came of one of them.
  package enum Outcome: Hashable, Sendable {
    /// The recorder's very frames, and its result.
    case asRecorded
    /// The recorder's frames as far as the copy of the stack goes: it is shorter than the stack, or the stack goes on elsewhere.
    case cut
    /// The recorder had no tables yet: its frames, and more.
    case completed
    /// Some image has no copy in the trace (or none that is whole).
    case withoutImage
    /// The recorder's frames, but by guesses: some rules are made from code, which copies of `symbols` do not have.
    case sameByGuess
    /// Not the same for want of code: a rule is made from it, or a return address is known by the code before it.
    case withoutCode
    /// The sample's stack is lost, or says otherwise than its copy.
    case lost
    case different
  }
  package struct Unwound: Sendable {
    package var record: StackCopyRecord
    package var outcome: Outcome
    /// Innermost first.
    package var recorded: [UInt64]
    package var found: [UInt64]
    package var result: UInt8
    /// Some of them by guesses, however it ended.
    package var isGuessed = false
  }

  private let trace: LoadedTrace
  private let workers: Int
  private static let kinds = KindSet(.stackCopy)

  package init(of trace: LoadedTrace, workers: Int) {
    self.trace = trace
    self.workers = workers
  }

  /// Hands each one over, in the order of the file, whatever the number of workers.
  /// - Parameter onlyUnfinished: passes over those whose callers the recorder found.
  package func forEach(onlyUnfinished: Bool, _ body: (Unwound) -> Void) throws(ReplayError) {
    let frames = trace.reader.frames.filter { $0.kinds.contains(.stackCopy) }
    guard !frames.isEmpty else { return }
    var wanted: Set<UInt32> = []
    try each(of: frames, { StackCopies.isWanted($0, onlyUnfinished) ? $0.addressSpace.rawValue : nil }) { wanted.insert($0) }
    guard !wanted.isEmpty else { return }
    let unwinder = try unwinder(for: wanted.sorted())
    try each(of: frames, { StackCopies.isWanted($0, onlyUnfinished) ? unwinder.unwind($0) : nil }, body)
  }

  private static func isWanted(_ record: StackCopyRecord, _ onlyUnfinished: Bool) -> Bool {
    !onlyUnfinished || record.sample.result == UnwindResult.tablesPending.rawValue
  }

  /// - Parameter take: runs on any thread; `consume` on the caller's, in order.
  private func each<Value: Sendable>(
    of frames: [FrameEntry], _ take: @escaping @Sendable (StackCopyRecord) -> Value?, _ consume: (Value) -> Void
  ) throws(ReplayError) {
    let reader = trace.reader
    do throws(TraceError) {
      try parallelForEach(
        count: frames.count, workers: workers, ahead: max(workers, 1) * 4,
        { index in
          Result { () throws(TraceError) -> [Value] in
            try reader.decode(frames[index], kinds: Self.kinds).records.compactMap {
              if case .stackCopy(let record) = $0 { take(record) } else { nil }
            }
          }
        }, consume: { (values) throws(TraceError) in for value in try values.get() { consume(value) } })
    } catch {
      throw .trace(error)
    }
  }

  // MARK: Tables

  private func unwinder(for spaces: [UInt32]) throws(ReplayError) -> CopyUnwinder {
    let contents = trace.contents
    let copies = RecordedCopies(trace)
    var images: Set<UInt32> = []
    for space in spaces { for mapping in contents.spaces[space]?.mappings ?? [] { images.insert(mapping.image) } }
    // Of images with the same copy one table.
    let files = images.filter { contents.images[$0].map { $0.kind == .file || $0.kind == .vdso } ?? false }
    let sources = Set(files.compactMap { copies.source(of: ImageHandle($0))?.rawValue }).sorted()
    let built = parallelMap(count: sources.count, workers: workers) { index -> UnwindTable? in
      guard let bytes = copies.copy(of: ImageHandle(sources[index])) else { return nil }
      return (try? UnwindTableBuilder.build(bytes.bytes)) ?? .empty
    }
    var tables: [UnwindTable] = []
    var known: [UInt32: OfflineSpaces.Image] = [:]
    for (source, table) in zip(sources, built) {
      guard let table else { continue }
      known[source] = table.rows.isEmpty ? .withoutTable : .table(tables.count)
      if !table.rows.isEmpty { tables.append(table) }
    }
    func image(_ handle: UInt32) -> OfflineSpaces.Image {
      guard let record = contents.images[handle] else { return .unknown }
      guard record.kind == .file || record.kind == .vdso else { return .anonymous }
      if contents.imageEnds[handle]?.outcome == .notELF { return .withoutTable }
      return copies.source(of: ImageHandle(handle)).flatMap { known[$0.rawValue] } ?? .unknown
    }
    let mappings = spaces.map { space in
      (contents.spaces[space]?.mappings ?? []).map {
        OfflineSpaces.Mapping(start: $0.start, end: $0.end, fileOffset: $0.fileOffset, image: image($0.image))
      }
    }
    do throws(SystemCallError) {
      return CopyUnwinder(
        spaces: try OfflineSpaces(
          machine: trace.reader.header.machine == "aarch64" ? .aarch64 : .x86_64, tables: tables, spaces: mappings),
        places: Dictionary(uniqueKeysWithValues: zip(spaces, spaces.indices)), trie: contents.trie)
    } catch {
      throw .system(error)
    }
  }
}

/// Unwinds one copy after another.
private struct CopyUnwinder: Sendable {
  let spaces: OfflineSpaces
  /// By address space its index among `spaces`.
  let places: [UInt32: Int]
  let trie: FrameTrie

  func unwind(_ record: StackCopyRecord) -> StackCopies.Unwound {
    var unwound = StackCopies.Unwound(record: record, outcome: .lost, recorded: [], found: [], result: record.sample.result)
    guard let recorded = trie.userFrames(of: record.sample.userStack), record.knownFrameCount <= recorded.count,
      let place = places[record.addressSpace.rawValue]
    else { return unwound }
    unwound.recorded = recorded
    var registers = OfflineSpaces.Registers()
    registers.pc = record.registers.pc
    registers.sp = record.registers.sp
    registers.fp = record.registers.fp
    registers.lr = record.registers.lr
    registers.numbered = record.registers.numbered
    registers.isReturnAddress = record.registers.isReturnAddress
    registers.isComplete = record.registers.isComplete
    guard
      let found = spaces.unwind(
        registers, after: Array(recorded.prefix(Int(record.knownFrameCount))), inSpace: place, stack: record.stack)
    else { return unwound }
    unwound.found = found.frames
    unwound.result = found.result
    unwound.isGuessed = found.isGuessed
    unwound.outcome = outcome(unwound)
    return unwound
  }

  private func outcome(_ unwound: StackCopies.Unwound) -> StackCopies.Outcome {
    let recorded = UnwindResult(rawValue: unwound.record.sample.result)
    let found = UnwindResult(rawValue: unwound.result)
    if recorded == .tablesPending {
      // It ends with the frame whose caller was not known.
      guard unwound.found.starts(with: unwound.recorded) else { return .different }
      return unwound.found.count > unwound.recorded.count || found != .tablesPending ? .completed : .withoutImage
    }
    if unwound.found == unwound.recorded, found == recorded { return .asRecorded }
    if unwound.found == unwound.recorded, found == .guessed || recorded == .guessed { return .sameByGuess }
    if found == .tablesPending { return .withoutImage }
    if unwound.recorded.starts(with: unwound.found) {
      switch found {
      // The rest lies above the copy, or on another stack.
      case .truncatedByDepth, .readFault: return .cut
      case .noTable, .noRow, .unsupportedRule: return .withoutCode
      default: break
      }
    }
    return recorded == .guessed || unwound.isGuessed ? .withoutCode : .different
  }
}
