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
    // The programs that are profiled come first, unless stacks of theirs wait. Only this thread.
    _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, order.isUrgent ? -10 : 5)
    finish(.table(number: order.number, table(order)))
  }

  private func finish(_ outcome: TableOutcome) {
    state.withLock { $0.finished.append(outcome) }
    var one: UInt64 = 1
    _ = unsafe Glibc.write(descriptor, &one, 8)
  }

  private func table(_ order: TableOrder) -> UnwindTable? { order.build(cache: cache) }
}

extension TableOrder {
  /// - Parameter cache: where a large table may be kept already, and is kept otherwise.
  /// - Returns: `nil` when the file cannot be read or does not say how to unwind its code.
  func build(cache: TableCacheDirectory?) -> UnwindTable? {
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
      guard let memory = try? TableFile.read(file, path: path) else { return nil }
      table = Self.keptOrBuilt(memory.bytes, cache)
    }
    guard let table, !table.rows.isEmpty else { return nil }
    return table
  }

  /// Building takes most where the file is large; a small file is built faster than it is looked up.
  private static let leastKeptRows = 4096

  private static func keptOrBuilt(_ file: RawSpan, _ cache: TableCacheDirectory?) -> UnwindTable? {
    guard let cache, let elf = try? ElfFile(file) else { return try? UnwindTableBuilder.build(file) }
    let key = UnwindTableKey(elf)
    if let kept = cache.table(of: key) { return kept }
    guard let built = try? UnwindTableBuilder.build(file) else { return nil }
    // A table that cannot be kept is built again.
    if built.rows.count >= leastKeptRows { try? cache.keep(built, of: key) }
    return built
  }
}
