import Base
import CRecorderABI
import Glibc
import TraceFormat
import Unwind

/// The user-space side of unwinding by tables: has tables built for what is mapped, keeps those in use within the budget, tells
/// the sampler which address space each process runs in, and unwinds what came before its tables.
///
/// Belongs to the recording loop's thread. Building happens in the `TableSource`.
final class StackUnwinder {
  private let arrays: UnwindArrays
  private let pointers: ProcessPointers
  private let tables: TableStore
  private let source: any TableSource
  private var mappingSpace = ExtentAllocator(count: UnwindArrays.mappingCapacity)
  private var images: [UnwindImage] = []
  private var vdso: UnwindImage?
  private let vdsoRange: Range<UInt64>?
  /// The generation that the next layout gets.
  private(set) var nextGeneration: UInt64 = 1

  /// What nothing points to any more and running programs may still read.
  private struct Retired {
    var mappings: [ExtentAllocator.Extent] = []
    var tables: [StoredTable] = []
    var isEmpty: Bool { mappings.isEmpty && tables.isEmpty }
  }
  private var retired = Retired()
  private var retiring: [Int: Retired] = [:]
  private var graces = 0
  /// Built tables for which there is no room yet.
  private var waiting: [(image: UnwindImage, table: UnwindTable)] = []

  private(set) var totals = Totals()
  struct Totals {
    var tablesLoaded = 0
    var tablesEvicted = 0
    var tablesOverBudget = 0
    var layouts = 0
  }

  /// Tables built at a time for images that nobody has sampled.
  static let maximumImages = 1 << 20

  init(arrays: UnwindArrays, pointers: ProcessPointers = ProcessPointers(), source: any TableSource, vdso: Range<UInt64>?) {
    self.arrays = arrays
    self.pointers = pointers
    self.source = source
    vdsoRange = vdso
    tables = TableStore(arrays)
  }

  // MARK: Images

  /// Has the image's table built, because code of it was mapped.
  func see(_ image: ImageTable.Image) {
    if let known = image.unwinding {
      guard image.descriptor >= 0, known.descriptor < 0, !known.isVDSO else { return }
      known.take(image.descriptor)
      order(known, isUrgent: false)
      return publish(known)
    }
    switch image.kind {
    case .vdso:
      image.unwinding = newImage(path: image.path, descriptor: -1, isVDSO: true)
    case .file where images.count < Self.maximumImages:
      image.unwinding = newImage(path: image.path, descriptor: image.descriptor, isVDSO: false)
    default: return
    }
    if let unwinding = image.unwinding { order(unwinding, isUrgent: false) }
  }

  private func newImage(path: String, descriptor: Int32, isVDSO: Bool) -> UnwindImage {
    let image = UnwindImage(number: images.count, path: path, descriptor: descriptor, isVDSO: isVDSO)
    images.append(image)
    return image
  }

  private func order(_ image: UnwindImage, isUrgent: Bool) {
    switch image.state {
    case .absent: break
    case .ordered where isUrgent: break
    default: return
    }
    let from: TableOrder.Source
    if image.isVDSO {
      guard let vdsoRange else { return giveUp(image) }
      from = .vdso(vdsoRange)
    } else {
      guard image.descriptor >= 0 else { return giveUp(image) }
      from = .file(image.descriptor)
    }
    image.state = .ordered
    source.build(TableOrder(number: image.number, source: from, path: image.path, isUrgent: isUrgent))
  }

  private func giveUp(_ image: UnwindImage) {
    image.state = .without
    publish(image)
  }

  // MARK: Address spaces

  /// The layout of the process as it is known now; `nil` when there is no room for it.
  func layout(of process: RecordedProcess) -> UnwindLayout? {
    if let known = process.layout { return known }
    // The unwinder's searches count on addresses below 2^63; above lies only the vsyscall page, which calls nobody.
    let mappings = process.mappings.filter { $0.end < 1 << 63 }
    let count = mappings.count
    guard let extent = mappingSpace.take(max(count, 1)) else {
      beginGrace()
      return nil
    }
    var images: [UnwindImage?] = []
    var places: [UnwindLayout.Place] = []
    images.reserveCapacity(count)
    places.reserveCapacity(count)
    for (index, mapping) in mappings.enumerated() {
      see(mapping.image)
      let image = mapping.image.unwinding
      let place = UnwindLayout.Place(start: mapping.start, end: mapping.end, fileOffset: mapping.fileOffset)
      images.append(image)
      places.append(place)
      let stored = image?.stored
      // Safe: the extent lies within the mappings, which the allocator was made for.
      unsafe arrays.mappings[extent.first + index] = pyrorec_unwind_mapping(
        begin: mapping.start, end: mapping.end,
        bias: stored?.bias(start: mapping.start, end: mapping.end, fileOffset: mapping.fileOffset) ?? mapping.start &- mapping.fileOffset,
        table: Self.word(image, place))
    }
    let layout = UnwindLayout(extent, generation: nextGeneration, images: images, places: places) { [weak self] extent in
      self?.retired.mappings.append(extent)
    }
    nextGeneration += 1
    for (index, image) in images.enumerated() { image?.use(by: layout, at: index) }
    process.layout = layout
    totals.layouts += 1
    return layout
  }

  /// What the sampler was told: it must not be given to others while the sampler may look at it.
  private var pointed: [UInt32: UnwindLayout] = [:]

  /// Tells the sampler which mappings the process has now.
  func publish(_ process: RecordedProcess) {
    guard process.exitedAt == nil, !process.facts.isKernelThread, let layout = layout(of: process) else { return }
    guard pointed[process.pid]?.generation != layout.generation else { return }
    pointers.point(process.pid, to: layout.pointer)
    pointed[process.pid] = layout
  }

  /// Its tables come before those of processes that sleep.
  func expectSamples(of process: RecordedProcess) {
    for mapping in process.mappings {
      if let image = mapping.image.unwinding, case .ordered = image.state { order(image, isUrgent: true) }
    }
  }

  func forget(_ pid: UInt32) {
    pointers.forget(pid)
    pointed[pid] = nil
  }

  private static func word(_ image: UnwindImage?, _ place: UnwindLayout.Place) -> UInt64 {
    guard let image else { return UInt64(PYROREC_ABSENCE_ANONYMOUS.rawValue) }
    switch image.state {
    case .loaded(let table):
      // A mapping of bytes that the file's segments do not speak of.
      guard table.bias(start: place.start, end: place.end, fileOffset: place.fileOffset) != nil else {
        return UInt64(PYROREC_ABSENCE_NO_TABLE.rawValue)
      }
      return table.table.word
    case .without: return UInt64(PYROREC_ABSENCE_NO_TABLE.rawValue)
    case .absent, .ordered, .waiting: return UInt64(PYROREC_ABSENCE_PENDING.rawValue)
    }
  }

  /// Writes the image's new state into every mapping of it.
  private func publish(_ image: UnwindImage) {
    image.forEachUse { layout, index in
      let place = layout.places[index]
      let at = layout.extent.first + index
      if let bias = image.stored?.bias(start: place.start, end: place.end, fileOffset: place.fileOffset) {
        // Safe: within the mappings, as when it was written first.
        unsafe arrays.mappings[at].bias = bias
      }
      arrays.setTable(Self.word(image, place), ofMapping: at)
    }
  }

  // MARK: Tables

  /// Takes in what the source has finished.
  /// - Returns: whether any image got its table, or will have none.
  func takeFinished() -> Bool {
    var hasNews = false
    for outcome in source.takeFinished() {
      switch outcome {
      case .table(let number, let table):
        let image = images[number]
        guard case .ordered = image.state else { continue }
        hasNews = true
        guard let table else {
          giveUp(image)
          continue
        }
        load(table, of: image)
      case .programsEnded(let number):
        guard let free = retiring.removeValue(forKey: number) else { continue }
        for extent in free.mappings { mappingSpace.give(extent) }
        for table in free.tables { tables.free(table) }
        let again = waiting
        waiting = []
        for (image, table) in again { load(table, of: image) }
        hasNews = hasNews || !again.isEmpty
      }
    }
    // Mappings are small: what processes leave behind can wait until it is worth a grace period.
    if retired.mappings.count > 256 || !retired.tables.isEmpty { beginGrace() }
    return hasNews
  }

  private func load(_ table: UnwindTable, of image: UnwindImage) {
    if let stored = tables.load(table) {
      image.state = .loaded(stored)
      totals.tablesLoaded += 1
      publish(image)
      return
    }
    guard tables.hasRoomInAll(table) else {
      totals.tablesOverBudget += 1
      return giveUp(image)
    }
    image.state = .waiting
    waiting.append((image, table))
    if retiring.isEmpty { evict(rows: table.rows.count) }
  }

  /// Puts out the tables that were not used for longest.
  private func evict(rows wanted: Int) {
    let loaded = images.compactMap { image in image.stored.map { (image: image, table: $0) } }
    tables.sweep(loaded.map(\.table))
    let byAge = loaded.sorted { ($0.table.lastHit, $0.image.number) < ($1.table.lastHit, $1.image.number) }
    var gained = 0
    // More than is asked for, because what is free is in pieces.
    for (image, table) in byAge {
      guard gained < wanted * 2 else { break }
      gained += table.rowCount
      image.state = .absent
      publish(image)
      retired.tables.append(table)
      totals.tablesEvicted += 1
    }
    beginGrace()
  }

  private func beginGrace() {
    guard !retired.isEmpty, retiring.count < 4 else { return }
    graces += 1
    retiring[graces] = retired
    retired = Retired()
    source.awaitPrograms(graces)
  }

  private var flushes = 0

  /// Notes which tables are in use, for when some have to go. Called at every flush, does it at each eighth: some seconds are
  /// what "used lately" means.
  func sweepNowAndThen() {
    flushes += 1
    if flushes % 8 == 0 { tables.sweep(images.lazy.compactMap(\.stored)) }
  }

  // MARK: Samples that came before their tables

  enum Attempt {
    case done(HostUnwinding)
    /// From where it stands, once that image has its table.
    case wait(HostUnwinding, UnwindImage)
  }

  /// Goes on where the sampler stopped.
  func unwind(
    _ state: pyrorec_unwind_state, after frames: [UInt64], in layout: UnwindLayout, stack: [UInt8], process: UInt32,
    isStanding: Bool = false, interpreter: HostUnwinding.Interpreter? = nil
  ) -> Attempt {
    let range = layout.extent.first..<(layout.extent.first + layout.images.count)
    let found = HostUnwinding(
      from: state, after: frames, in: arrays, mappings: range, stack: stack, process: process, isStanding: isStanding,
      interpreter: interpreter)
    guard found.result == UInt8(PYROREC_UNWIND_TABLES_PENDING.rawValue), let image = image(at: found.state, in: layout)
    else { return .done(found) }
    order(image, isUrgent: true)
    if case .without = image.state {
      return unwind(
        state, after: frames, in: layout, stack: stack, process: process, isStanding: isStanding, interpreter: interpreter)
    }
    return .wait(found, image)
  }

  private func image(at state: pyrorec_unwind_state, in layout: UnwindLayout) -> UnwindImage? {
    let address = state.flags & UInt64(PYROREC_STATE_RETURN_ADDRESS) != 0 ? state.pc &- 1 : state.pc
    for index in layout.images.indices {
      // Safe: within the mappings, as when they were written.
      let mapping = unsafe arrays.mappings[layout.extent.first + index]
      if mapping.begin <= address, address < mapping.end { return layout.images[index] }
    }
    return nil
  }
}
