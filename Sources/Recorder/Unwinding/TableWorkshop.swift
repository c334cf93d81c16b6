import Base
import CLibBPF
import Dispatch
import Glibc
import ObjectFile
import Synchronization
import Unwind

/// Where tables come from: built beside the recording loop, or at once in tests.
protocol TableSource: AnyObject {
  /// Builds the table of what `order` names; it is among the finished ones later.
  func build(_ order: TableOrder)
  /// Finishes `number` once every sampler program that runs now has ended.
  func awaitPrograms(_ number: Int)
  /// What was finished since the last call.
  func takeFinished() -> [TableOutcome]
}

struct TableOrder: Sendable {
  enum Source: Sendable {
    /// A descriptor that the source reads and leaves open.
    case file(Int32)
    /// The kernel's own, as mapped into this process.
    case vdso(Range<UInt64>)
  }
  var number: Int
  var source: Source
  var path: String
  /// A sample waits for it.
  var isUrgent: Bool
}

enum TableOutcome: Sendable {
  /// `nil` when the file does not say how to unwind its code.
  case table(number: Int, UnwindTable?)
  case programsEnded(number: Int)
}

/// Builds tables on a few threads, urgent ones first, the others with low priority.
final class TableWorkshop: TableSource, Sendable {
  private struct State {
    var orders: [TableOrder] = []
    var finished: [TableOutcome] = []
    /// One large file is built at a time, because each takes its size in memory; the others wait here.
    var isBuildingLarge = false
    var postponed: [TableOrder] = []
  }
  private let state = Mutex(State())
  private let queues: [DispatchQueue]
  private let graceQueue = DispatchQueue(label: "pyrorec.unwind.grace", qos: .utility)
  private let next = Atomic(0)
  /// Readable when something is finished.
  let descriptor: Int32

  /// Where tables are kept from one recording to the next; `nil` for nowhere.
  private let cache: TableCacheDirectory?

  init(workers: Int, cache: TableCacheDirectory?) throws(SystemCallError) {
    self.cache = cache
    descriptor = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
    guard descriptor >= 0 else { throw SystemCallError(call: "eventfd", path: "unwind tables", code: errno) }
    queues = (0..<max(workers, 1)).map { DispatchQueue(label: "pyrorec.unwind.\($0)", qos: .utility) }
  }
  deinit { _ = close(descriptor) }

  func build(_ order: TableOrder) {
    state.withLock { state in
      if order.isUrgent {
        // Asked for a second time, it moves to the front.
        state.orders.removeAll { $0.number == order.number }
        state.orders.append(order)
      } else {
        state.orders.insert(order, at: 0)
      }
    }
    queues[next.wrappingAdd(1, ordering: .relaxed).newValue % queues.count].async { self.work() }
  }

  func awaitPrograms(_ number: Int) {
    graceQueue.async {
      // Where the kernel cannot tell: a program takes microseconds, and a stolen virtual CPU comes back within this.
      if pyrorec_wait_for_running_programs() != 0 { usleep(1_000_000) }
      self.finish(.programsEnded(number: number))
    }
  }

  func takeFinished() -> [TableOutcome] {
    var count: UInt64 = 0
    _ = unsafe Glibc.read(descriptor, &count, 8)
    return state.withLock { state in
      let finished = state.finished
      state.finished = []
      return finished
    }
  }

  private func work() {
    guard let order = state.withLock({ $0.orders.popLast() }) else { return }
    Self.hurry()
    do {
      finish(.table(number: order.number, try table(order)))
    } catch {
      // Comes again when the large file is done that is being built.
    }
  }

  private struct Postponed: Error {}

  private func beginLarge(_ order: TableOrder) throws(Postponed) {
    let isPostponed = state.withLock { state in
      if state.isBuildingLarge { state.postponed.append(order) }
      defer { state.isBuildingLarge = true }
      return state.isBuildingLarge
    }
    if isPostponed { throw Postponed() }
  }

  private func endLarge() {
    let hasNext = state.withLock { state in
      state.isBuildingLarge = false
      guard !state.postponed.isEmpty else { return false }
      state.orders.append(state.postponed.removeFirst())
      return true
    }
    if hasNext { queues[next.wrappingAdd(1, ordering: .relaxed).newValue % queues.count].async { self.work() } }
  }

  /// Of this thread only. A kept table is read at once: that is soon done, and until then every sample carries its stack.
  private static func hurry() { _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, -10) }
  /// The programs that are profiled come before what is built, unless stacks of theirs wait for it.
  fileprivate static func yield() { _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 5) }

  private func finish(_ outcome: TableOutcome) {
    state.withLock { $0.finished.append(outcome) }
    var one: UInt64 = 1
    _ = unsafe Glibc.write(descriptor, &one, 8)
  }

  private func table(_ order: TableOrder) throws(Postponed) -> UnwindTable? {
    try order.build(cache: cache, beginLarge: { () throws(Postponed) in try beginLarge(order) }, endLarge: endLarge)
  }
}

extension TableOrder {
  /// - Parameter cache: where a large table may be kept already, and is kept otherwise.
  /// - Returns: `nil` when the file cannot be read or does not say how to unwind its code.
  func build(cache: TableCacheDirectory?) -> UnwindTable? {
    build(cache: cache, beginLarge: { () throws(Never) in }, endLarge: {})
  }

  /// - Parameters:
  ///   - beginLarge: called before a large file is built, which it may put off by an error.
  ///   - endLarge: called after it.
  fileprivate func build<Refusal: Error>(
    cache: TableCacheDirectory?, beginLarge: () throws(Refusal) -> Void, endLarge: () -> Void
  ) throws(Refusal) -> UnwindTable? {
    let table: UnwindTable?
    switch source {
    case .vdso(let range):
      // Safe: the kernel maps the vDSO for the life of the process.
      guard let start = unsafe UnsafeRawPointer(bitPattern: UInt(range.lowerBound)) else { return nil }
      let bytes = unsafe [UInt8](UnsafeRawBufferPointer(start: start, count: range.count))
      table = try? UnwindTableBuilder.build(bytes.borrowedBytes)
    case .file(let descriptor):
      let duplicate = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
      guard duplicate >= 0 else { return nil }
      let file = OwnedDescriptor(owning: duplicate)
      guard var memory = try? TableFile.readHeaders(file, path: path) else { return nil }
      if let kept = Self.kept(memory.bytes, cache) {
        table = kept
      } else {
        let isLarge = TableFile.restByteCount(memory.bytes) > Self.largeByteCount
        if isLarge { try beginLarge() }
        defer { if isLarge { endLarge() } }
        if !isUrgent, memory.byteCount > Self.quicklyBuiltByteCount { TableWorkshop.yield() }
        table = try? Self.built(file, path, &memory, cache)
      }
    }
    guard let table, !table.rows.isEmpty else { return nil }
    return table
  }

  /// Building takes most where the file is large; a small file is built faster than it is looked up.
  private static let leastKeptRows = 4096
  /// A file of so many bytes at most is built in a millisecond or two.
  private static let quicklyBuiltByteCount = 4 << 20
  private static let largeByteCount: UInt64 = 8 << 20

  /// Most of a large file's bytes are its rules: with a build ID they need not be read to know that they are known.
  private static func kept(_ headers: RawSpan, _ cache: TableCacheDirectory?) -> UnwindTable? {
    guard let cache, let key = key(headers), key.buildID != nil else { return nil }
    return cache.table(of: key)
  }

  private static func built(
    _ file: borrowing OwnedDescriptor, _ path: String, _ memory: inout ZeroedMemory, _ cache: TableCacheDirectory?
  ) throws -> UnwindTable {
    try TableFile.readRest(file, path: path, into: &memory)
    guard let cache, let key = key(memory.bytes) else { return try UnwindTableBuilder.build(memory.bytes) }
    if key.buildID == nil, let kept = cache.table(of: key) { return kept }
    let built = try UnwindTableBuilder.build(memory.bytes)
    // A table that cannot be kept is built again. What it was built from is not needed for it.
    memory = try ZeroedMemory(byteCount: 0)
    if built.rows.count >= leastKeptRows { try? cache.keep(built, of: key) }
    return built
  }

  private static func key(_ bytes: RawSpan) -> UnwindTableKey? {
    guard let elf = try? ElfFile(bytes) else { return nil }
    return UnwindTableKey(elf)
  }
}
