import Base
import Dispatch
import Glibc
import ObjectFile
import Synchronization
import TraceFormat
import Unwind

/// Copies images on one queue and looks up kernel symbols on another, each one after another in the order asked for.
///
/// `@unchecked Sendable`: `kernel…` is touched on the kernel's queue alone, the rest on the images' queue, and what both
/// share is behind a lock.
package final class ImageCopier: ImageCopying, @unchecked Sendable {
  /// Bytes of a file in one record, so that a frame of the segment holds it.
  private static let chunkBytes = 512 * 1024
  /// Bytes copied in one recording; what does not fit any more is said to be over budget.
  static let maximumBytes: UInt64 = 16 << 30

  private let sink: any RecordSink
  private let mode: RecorderConfiguration.Images
  private let files: any ProcessFileSystem
  private let queue = DispatchQueue(label: "pyrorec.images", qos: .utility)
  private let isCancelled = Mutex(false)
  private let failure = Mutex<TraceError?>(nil)

  private let kernelQueue = DispatchQueue(label: "pyrorec.kernel", qos: .utility)
  private var kernel: KernelSymbols?
  private let kernelNames: KernelNames?
  private var kernelText: (start: UInt64, end: UInt64) = (0, 0)
  /// Symbols written, by address; every address in one of them has its name.
  private var kernelWritten: [KernelRange] = []
  private struct KernelRange {
    var address: UInt64
    var end: UInt64
  }
  private let names: JITNameCopier
  /// Where copies go instead of the segment; `nil` for the segment.
  private let store: ImageStore?
  private var isFollowing = false
  private var isFinished = false
  private var copied: UInt64 = 0
  private struct CopyKey: Hashable {
    var buildID: BuildID
    var byteCount: UInt64
  }
  private var copies: [CopyKey: ImageHandle] = [:]

  /// - Parameter kernelNames: asked for the kernel's symbols; without it, or if it refuses, `/proc/kallsyms` is read.
  init(
    sink: any RecordSink, mode: RecorderConfiguration.Images, files: any ProcessFileSystem, kernelNames: KernelNames? = nil,
    store: ImageStore? = nil
  ) {
    self.store = store
    // All symbols are in kallsyms alone.
    self.kernelNames = mode == .full ? nil : kernelNames
    self.sink = sink
    self.mode = mode
    self.files = files
    names = JITNameCopier(files: files, sink: sink)
    // Copying is what can wait; a thread takes over the haste of the one that made it.
    for queue in [queue, kernelQueue] { queue.async { _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 5) } }
  }

  /// Writes where the kernel and its modules lie. Where its symbols have to be read for it that costs some 70 ms, so not at once.
  package func prepareKernel() {
    kernelQueue.async { self.attempt { () throws(TraceError) in try self.loadKernel() } }
  }

  package func copy(_ request: ImageRequest) {
    queue.async { self.attempt { () throws(TraceError) in try self.perform(request) } }
  }

  package func lookUp(kernelAddresses: [UInt64]) {
    kernelQueue.async { self.attempt { () throws(TraceError) in try self.write(kernelAddresses) } }
  }

  /// Waits until everything asked for is done.
  /// - Parameter shouldGiveUp: asked every 20 ms; `true` leaves the rest undone.
  package func finish(shouldGiveUp: () -> Bool) {
    queue.async {
      self.isFinished = true
      self.attempt { () throws(TraceError) in try self.names.look() }
    }
    let done = DispatchSemaphore(value: 0)
    kernelQueue.async { self.queue.async { done.signal() } }
    while done.wait(timeout: .now() + .milliseconds(20)) == .timedOut {
      if shouldGiveUp() { isCancelled.withLock { $0 = true } }
    }
  }

  /// Looks once a second for names of code that was made meanwhile.
  private func followNames() {
    isFollowing = true
    queue.asyncAfter(deadline: .now() + .seconds(1)) {
      if self.isFinished { return }
      self.attempt { () throws(TraceError) in try self.names.look() }
      self.followNames()
    }
  }

  /// Why writing failed, if it did.
  var writeFailure: TraceError? { failure.withLock { $0 } }

  private func attempt(_ work: () throws(TraceError) -> Void) {
    guard failure.withLock({ $0 == nil }) else { return }
    do throws(TraceError) { try work() } catch { failure.withLock { $0 = error } }
  }

  // MARK: The kernel

  private func loadKernel() throws(TraceError) {
    if let range = kernelNames?.textRange() {
      kernelText = range
      return try writeModules()
    }
    try loadKallsyms()
    try writeModules()
    guard mode == .full, let symbols = kernel, !symbols.isEmpty else { return }
    for start in stride(from: 0, to: symbols.count, by: 4096) {
      let all = (start..<min(start + 4096, symbols.count)).map { symbols.symbol(number: $0) }
      try sink.append(.kernelSymbols(KernelSymbolsRecord(symbols: all)))
    }
  }

  private func loadKallsyms() throws(TraceError) {
    let symbols = KernelSymbols(kallsyms: (try? files.read("kallsyms", limit: KernelSymbols.textLimit)) ?? [])
    kernelText = (symbols.textStart, symbols.textEnd)
    kernel = symbols
  }

  private func writeModules() throws(TraceError) {
    let text = (try? files.read("modules", limit: 4 << 20)) ?? []
    let notes = (try? contents(of: "/sys/kernel/notes", limit: 1 << 16)) ?? []
    let modules = KernelSymbols.moduleRecords(
      text: kernelText, modulesText: text, kernelBuildID: KernelSymbols.buildID(notes: notes),
      notes: { (try? contents(of: "/sys/module/\($0)/notes/.note.gnu.build-id", limit: 1 << 12)) ?? [] })
    try sink.append(.kernelModules(KernelModulesRecord(modules: modules)))
  }

  private func write(_ addresses: [UInt64]) throws(TraceError) {
    guard mode != .full else { return }
    // One less than a return address, as it will be looked up; the leaf's own address mostly lies in the same symbol.
    var found = try symbols(at: addresses.filter { !isKnown($0) })
    found += try symbols(at: addresses.map { $0 &- 1 }.filter { !isKnown($0) })
    guard !found.isEmpty else { return }
    try sink.append(.kernelSymbols(KernelSymbolsRecord(symbols: found.sorted { $0.address < $1.address })))
  }

  /// The symbols that cover `addresses` and were not written before.
  private func symbols(at addresses: [UInt64]) throws(TraceError) -> [KernelSymbolsRecord.Symbol] {
    var asked: [UInt64] = []
    for address in addresses.sorted() where address != asked.last { asked.append(address) }
    var answers = kernelNames?.symbols(at: asked)
    if answers == nil {
      if kernel == nil { try loadKallsyms() }
      answers = asked.map { kernel?.symbol(at: $0) }
    }
    var found: [KernelSymbolsRecord.Symbol] = []
    for case let answer? in answers ?? [] {
      guard let symbol = KernelNames.code(answer, text: kernelText) else { continue }
      guard !isKnown(symbol.address) else { continue }
      let range = KernelRange(address: symbol.address, end: symbol.address &+ symbol.byteCount)
      kernelWritten.insert(range, at: firstKnown(above: symbol.address))
      found.append(symbol)
    }
    return found
  }

  private func isKnown(_ address: UInt64) -> Bool {
    let place = firstKnown(above: address)
    return place > 0 && (address < kernelWritten[place - 1].end || address == kernelWritten[place - 1].address)
  }

  private func firstKnown(above address: UInt64) -> Int {
    var low = 0
    var high = kernelWritten.count
    while low < high {
      let middle = (low + high) / 2
      if kernelWritten[middle].address <= address { low = middle + 1 } else { high = middle }
    }
    return low
  }

  // MARK: Images

  private func perform(_ request: ImageRequest) throws(TraceError) {
    var record = request.record
    switch record.kind {
    case .vdso: try copyVDSO(record)
    case .file:
      guard request.descriptor >= 0 else {
        try end(record.handle, .gone)
        return
      }
      let file = OwnedDescriptor(owning: request.descriptor)
      let plan: ElfCopyPlan
      do throws(SystemCallError) {
        let status = try file.status(path: record.path)
        record.byteCount = UInt64(status.st_size)
        record.modified = Int64(status.st_mtim.tv_sec) * 1_000_000_000 + Int64(status.st_mtim.tv_nsec)
        plan = try ElfCopyPlan(byteCount: record.byteCount, mode: mode == .full ? .full : .symbols) {
          (offset, count) throws(SystemCallError) in
          try file.read(at: offset.rawValue, count: count, path: record.path)
        }
      } catch {
        return try end(record.handle, .unreadable)
      }
      try copy(file, record, plan)
    case .anonymous:
      guard mode != .none else { return }
      try names.follow(process: request.process, image: record.handle)
      if !isFollowing { followNames() }
    case .kernel, .kernelModule: break
    }
  }

  private func copy(_ file: borrowing OwnedDescriptor, _ incomplete: ImageRecord, _ plan: ElfCopyPlan) throws(TraceError) {
    var record = incomplete
    record.buildID = plan.buildID
    record.segments = plan.layout.segments.map {
      ImageRecord.Segment(
        fileOffset: $0.fileOffset, address: $0.address, fileByteCount: $0.fileByteCount, memoryByteCount: $0.memoryByteCount)
    }
    try sink.append(.image(record))
    guard mode != .none else { return try end(record.handle, .notAsked) }
    guard plan.isELF else { return try end(record.handle, .notELF) }
    if let buildID = plan.buildID {
      let key = CopyKey(buildID: buildID, byteCount: record.byteCount)
      if let same = copies[key] { return try end(record.handle, .sameAs, same: same) }
      copies[key] = record.handle
    }
    if let store { return try keep(file, record, plan, in: store) }
    let plan = withCode(plan, of: file, record)
    guard copied + plan.byteCount <= Self.maximumBytes else { return try end(record.handle, .overBudget) }
    var written: UInt64 = 0
    for extent in plan.extents {
      var offset = extent.fileOffset.rawValue
      let end = offset + extent.byteCount
      while offset < end {
        // An unfinished copy has no end record, so nobody takes it for a whole one.
        if isCancelled.withLock({ $0 }) { return }
        let count = Int(min(UInt64(Self.chunkBytes), end - offset))
        guard var bytes = try? file.read(at: offset, count: count, path: record.path), bytes.count == count else {
          return try self.end(record.handle, .changed)
        }
        plan.applyPatches(to: &bytes, at: FileOffset(offset))
        try sink.append(.imageChunk(ImageChunkRecord(image: record.handle, fileOffset: FileOffset(offset), bytes: bytes)))
        offset += UInt64(count)
        written += UInt64(count)
      }
    }
    copied += written
    // A file that was written to meanwhile may be a mixture of two.
    let status = try? file.status(path: record.path)
    let modified = status.map { Int64($0.st_mtim.tv_sec) * 1_000_000_000 + Int64($0.st_mtim.tv_nsec) }
    guard modified == record.modified else { return try end(record.handle, .changed) }
    try end(record.handle, mode == .full ? .full : .symbols, byteCount: written)
  }

  /// The plan with the code that unwind rules are made from, so that stacks are unwound from the copy as from the file. Only for
  /// what is copied indeed: it takes a look at the whole file.
  private func withCode(_ plan: ElfCopyPlan, of file: borrowing OwnedDescriptor, _ record: ImageRecord) -> ElfCopyPlan {
    guard mode == .symbols else { return plan }
    var plan = plan
    plan.keep(
      TableFile.code(of: file, path: record.path).map { ElfCopyPlan.Extent(fileOffset: $0.fileOffset, byteCount: $0.byteCount) },
      fileByteCount: record.byteCount)
    return plan
  }

  /// The copy goes into the store, unless it is there: the segment has the identity alone.
  private func keep(
    _ file: borrowing OwnedDescriptor, _ record: ImageRecord, _ plan: ElfCopyPlan, in store: ImageStore
  ) throws(TraceError) {
    let path = store.path(
      buildID: record.buildID, byteCount: record.byteCount, device: record.device, inode: record.inode, modified: record.modified)
    if store.use(path) { return try end(record.handle, .notAsked) }
    let plan = withCode(plan, of: file, record)
    var outcome = ImageEndRecord.Outcome.notAsked
    do throws(SystemCallError) {
      let writer = try store.writer(path, byteCount: record.byteCount)
      do throws(SystemCallError) {
        if try copyAll(of: file, record, plan, to: writer) { try writer.finish() } else { outcome = .changed }
      } catch {
        store.discard(path)
        throw error
      }
      if outcome == .changed { store.discard(path) }
    } catch { outcome = .overBudget }
    try end(record.handle, outcome)
  }

  /// - Returns: `false` when the file is not what it was, or nobody wants it any more.
  private func copyAll(
    of file: borrowing OwnedDescriptor, _ record: ImageRecord, _ plan: ElfCopyPlan, to writer: borrowing ImageStore.Writer
  ) throws(SystemCallError) -> Bool {
    for extent in plan.extents {
      var offset = extent.fileOffset.rawValue
      let end = offset + extent.byteCount
      while offset < end {
        let count = Int(min(UInt64(Self.chunkBytes), end - offset))
        var bytes = try file.read(at: offset, count: count, path: record.path)
        guard bytes.count == count, !isCancelled.withLock({ $0 }) else { return false }
        plan.applyPatches(to: &bytes, at: FileOffset(offset))
        try writer.write(bytes, at: offset)
        offset += UInt64(count)
      }
    }
    let status = try file.status(path: record.path)
    return Int64(status.st_mtim.tv_sec) * 1_000_000_000 + Int64(status.st_mtim.tv_nsec) == record.modified
  }

  /// The vDSO has no file; every 64-bit process has the one that this process has.
  private func copyVDSO(_ incomplete: ImageRecord) throws(TraceError) {
    var record = incomplete
    guard let range = Self.ownVDSO(files), mode != .none else { return try end(record.handle, mode == .none ? .notAsked : .gone) }
    // Safe: the kernel maps the vDSO for the life of the process.
    guard let start = unsafe UnsafeRawPointer(bitPattern: UInt(range.start)) else { return try end(record.handle, .gone) }
    let bytes = unsafe [UInt8](UnsafeRawBufferPointer(start: start, count: Int(range.end - range.start)))
    record.byteCount = UInt64(bytes.count)
    let plan = ElfCopyPlan(byteCount: record.byteCount, mode: .full) { (offset, count) throws(Never) in
      let from = min(Int(clamping: offset.rawValue), bytes.count)
      return Array(bytes[from..<min(from + count, bytes.count)])
    }
    record.buildID = plan.buildID
    record.segments = plan.layout.segments.map {
      ImageRecord.Segment(
        fileOffset: $0.fileOffset, address: $0.address, fileByteCount: $0.fileByteCount, memoryByteCount: $0.memoryByteCount)
    }
    try sink.append(.image(record))
    try sink.append(.imageChunk(ImageChunkRecord(image: record.handle, fileOffset: FileOffset(0), bytes: bytes)))
    try end(record.handle, .full, byteCount: record.byteCount)
  }

  private static func ownVDSO(_ files: any ProcessFileSystem) -> ProcessMap? {
    guard let text = try? files.read("self/maps", limit: 4 << 20) else { return nil }
    return ProcessMap.executable(in: text).first { $0.path == "[vdso]" }
  }

  private func end(
    _ image: ImageHandle, _ outcome: ImageEndRecord.Outcome, same: ImageHandle? = nil, byteCount: UInt64 = 0
  ) throws(TraceError) {
    try sink.append(
      .imageEnd(ImageEndRecord(image: image, outcome: outcome, same: same, copiedByteCount: byteCount)))
  }
}
