import Base
import CRecorderABI
import Glibc
import ObjectFile
import Testing
import TraceFormat

@testable import Recorder
@testable import Unwind

/// A source of tables that finishes what it is told to.
final class ToldTables: TableSource {
  private(set) var orders: [TableOrder] = []
  private(set) var graces: [Int] = []
  private var outcomes: [TableOutcome] = []

  func build(_ order: TableOrder) { orders.append(order) }
  func awaitPrograms(_ number: Int) { graces.append(number) }
  func takeFinished() -> [TableOutcome] {
    defer { outcomes = [] }
    return outcomes
  }
  func finish(_ number: Int, _ table: UnwindTable?) { outcomes.append(.table(number: number, table)) }
  func endGraces() {
    outcomes += graces.map { .programsEnded(number: $0) }
    graces = []
  }
}

struct StackUnwinderTests {
  private let source = ToldTables()
  private let arrays: UnwindArrays
  private let unwinder: StackUnwinder
  private let code: UInt64 = 0x5500_0000_0000
  private let base: UInt64 = 0x7f00_0000_0000

  init() throws {
    // Four chunks of rows.
    arrays = try UnwindArrays(budget: 1 << 20, maps: nil)
    unwinder = StackUnwinder(arrays: arrays, source: source, vdso: nil)
  }

  private func image(_ inode: UInt64) -> ImageTable.Image {
    let image = ImageTable.Image(
      kind: .file, path: "/lib/\(inode).so", wasDeleted: false,
      key: ImageTable.Key(device: 1, inode: inode, generation: 0, path: "", process: 0))
    // Any file that can be opened: nobody reads it.
    image.descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC)
    return image
  }

  private func process(_ pid: UInt32, _ images: [ImageTable.Image]) -> RecordedProcess {
    let process = RecordedProcess(pid: pid, facts: ProcessFacts(), startTime: 1, scannedAt: 1, programTime: 1)
    for (index, image) in images.enumerated() { map(image, at: code + UInt64(index) << 32, in: process) }
    return process
  }

  private func map(_ image: ImageTable.Image, at start: UInt64, in process: RecordedProcess) {
    _ = process.insert(
      RecordedProcess.Mapping(
        start: start, end: start + 0x10_0000, fileOffset: 0, protection: 5, image: image, time: 1))
  }

  /// A table of `count` rows in pages of 4096, all saying "the outermost frame" or the rule given.
  private func table(rows count: Int, rule: UInt16 = RuleNumber.stop, rules: [UnwindRule] = []) -> UnwindTable {
    let perPage = 4096
    let pages = (count + perPage - 1) / perPage
    return UnwindTable(
      machine: .x86_64,
      layout: ImageLayout([
        ImageLayout.Segment(
          fileOffset: FileOffset(0), address: ImageAddress(0), fileByteCount: 1 << 24, memoryByteCount: 1 << 24)
      ]), firstPage: 0, pageStarts: (0...pages).map { UInt32(min($0 * perPage, count)) },
      rows: (0..<count).map { UInt32($0 % perPage) * 16 | UInt32(rule) << 16 }, rules: rules)
  }

  private func unwind(_ pc: UInt64, in process: RecordedProcess, words: [UInt64] = []) throws -> StackUnwinder.Attempt {
    let layout = try #require(unwinder.layout(of: process))
    var state = pyrorec_unwind_state()
    state.pc = pc
    state.sp = base
    state.flags = UInt64(PYROREC_STATE_REGISTERS)
    let stack = words.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64($0 * 8)) } }
    return unwinder.unwind(state, after: [], in: layout, stack: stack, process: 0)
  }

  private func result(_ attempt: StackUnwinder.Attempt) -> UnwindResult? {
    if case .done(let found) = attempt { UnwindResult(rawValue: found.result) } else { .tablesPending }
  }

  @Test func `a file is built once for all that map it, urgently once a stack waits for it`() throws {
    let shared = image(7)
    let first = process(1, [shared])
    let second = process(2, [shared])
    unwinder.publish(first)
    unwinder.publish(second)
    #expect(source.orders.map(\.isUrgent) == [false])
    let waits = try unwind(code + 5, in: first)
    #expect(result(waits) == .tablesPending && source.orders.map(\.isUrgent) == [false, true])
    source.finish(0, table(rows: 10))
    #expect(unwinder.takeFinished())
    #expect(result(try unwind(code + 5, in: first)) == .complete)
    #expect(result(try unwind(code + 5, in: second)) == .complete)
  }

  @Test func `a file without unwind information is said to have none`() throws {
    let running = process(1, [image(7)])
    unwinder.publish(running)
    source.finish(0, nil)
    #expect(unwinder.takeFinished())
    #expect(result(try unwind(code + 5, in: running)) == .noTable)
  }

  @Test func `a child shares its parent's mappings until one of them changes`() throws {
    let parent = process(1, [image(7)])
    unwinder.publish(parent)
    let child = RecordedProcess(forkOf: parent, pid: 2, time: 5)
    unwinder.publish(child)
    #expect(child.layout === parent.layout && child.layout != nil)
    map(image(8), at: code + 5 << 32, in: child)
    unwinder.publish(child)
    let generations = (parent.layout?.generation, child.layout?.generation)
    #expect(generations.0 == 1 && generations.1 == 2)
  }

  @Test func `a library in another's place is never unwound by the other's table`() throws {
    let running = process(1, [image(7)])
    unwinder.publish(running)
    source.finish(0, table(rows: 10))
    _ = unwinder.takeFinished()
    let before = try #require(running.layout?.generation)
    map(image(8), at: code, in: running)
    unwinder.publish(running)
    #expect(try #require(running.layout?.generation) > before)
    #expect(result(try unwind(code + 5, in: running)) == .tablesPending)
  }

  @Test func `mappings and rows are used again only after every running program has ended`() throws {
    let space = UnwindArrays.mappingCapacity
    var running: RecordedProcess? = process(1, [image(7)])
    unwinder.publish(try #require(running))
    let first = try #require(running?.layout?.extent.first)
    unwinder.forget(1)
    running = nil
    let next = process(2, [image(7)])
    let second = try #require(unwinder.layout(of: next)?.extent.first)
    #expect(second != first && space > 2)
  }

  @Test func `the table that was not used for longest makes room, and comes back when it is asked for`() throws {
    let images = (0..<4).map { image(UInt64(10 + $0)) }
    let running = process(1, images)
    unwinder.publish(running)
    // 262,144 rows in all: three tables of 80,000 fit.
    for number in 0..<3 { source.finish(number, table(rows: 80_000)) }
    _ = unwinder.takeFinished()
    for index in [1, 2] as [UInt64] { #expect(result(try unwind(code + index << 32 + 5, in: running)) == .complete) }
    source.finish(3, table(rows: 80_000))
    _ = unwinder.takeFinished()
    #expect(unwinder.totals.tablesEvicted >= 1)
    #expect(result(try unwind(code + 3 << 32 + 5, in: running)) == .tablesPending, "until the programs have ended")
    source.endGraces()
    #expect(unwinder.takeFinished())
    #expect(result(try unwind(code + 3 << 32 + 5, in: running)) == .complete)
    #expect(result(try unwind(code + 5, in: running)) == .tablesPending, "the one nobody had asked for")
    #expect(source.orders.last?.number == 0 && source.orders.last?.isUrgent == true)
  }

  @Test func `a table larger than the budget is none`() throws {
    let running = process(1, [image(7)])
    unwinder.publish(running)
    source.finish(0, table(rows: 300_000))
    _ = unwinder.takeFinished()
    #expect(result(try unwind(code + 5, in: running)) == .noTable && unwinder.totals.tablesOverBudget == 1)
  }

  @Test func `rules are shared by all tables, and one too many is unsupported`() throws {
    let images = (0..<2).map { image(UInt64(10 + $0)) }
    let running = process(1, images)
    unwinder.publish(running)
    let rule = HandMadeStack.sp(8)
    let others = (0..<UnwindArrays.ruleCapacity).map { HandMadeStack.sp(Int32($0) * 8 + 16) }
    source.finish(0, table(rows: 10, rule: RuleNumber.first, rules: [rule]))
    source.finish(1, table(rows: 10, rule: RuleNumber.first + UInt16(others.count) - 1, rules: others))
    _ = unwinder.takeFinished()
    #expect(result(try unwind(code + 5, in: running, words: [0])) == .complete)
    #expect(result(try unwind(code + 1 << 32 + 5, in: running, words: [0])) == .unsupportedRule)
  }

  @Test func `a mapping whose first page ends another segment belongs to the segment that most of it is of`() throws {
    let store = TableStore(arrays)
    var built = table(rows: 10)
    built = UnwindTable(
      machine: built.machine,
      // As lld lays files out: code at 0x157d0 in the file and 0x167d0 in memory, behind read-only data in the same page.
      layout: ImageLayout([
        ImageLayout.Segment(
          fileOffset: FileOffset(0), address: ImageAddress(0), fileByteCount: 0x157cc, memoryByteCount: 0x157cc),
        ImageLayout.Segment(
          fileOffset: FileOffset(0x157d0), address: ImageAddress(0x167d0), fileByteCount: 0x42470, memoryByteCount: 0x42470),
      ]), firstPage: 1, pageStarts: built.pageStarts, rows: built.rows, rules: built.rules)
    let stored = try #require(store.load(built))
    let bias = stored.bias(start: 0x5500_0001_6000, end: 0x5500_0005_9000, fileOffset: 0x15000)
    #expect(bias == 0x5500_0000_0000 + 0x1_0000, "less the first page of the table")
    #expect(stored.bias(start: 0x5500_0001_6000, end: 0x5500_0005_9000, fileOffset: 0x10_0000) == nil)
  }

  @Test func `the page above all user addresses hides no other mapping`() throws {
    let running = process(1, [image(7)])
    _ = running.insert(
      RecordedProcess.Mapping(
        start: 0xffff_ffff_ff60_0000, end: 0xffff_ffff_ff60_1000, fileOffset: 0, protection: 4, image: image(9), time: 1))
    unwinder.publish(running)
    source.finish(0, table(rows: 10))
    _ = unwinder.takeFinished()
    #expect(result(try unwind(0x5000_0000_8000_0001, in: running)) == .noMapping)
  }
}
