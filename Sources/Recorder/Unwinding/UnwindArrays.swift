import Base
import CLibBPF
import CRecorderABI
import Glibc

/// The flat arrays of `pyrorec_layout.h`, which the unwinder reads while this process writes them: the sampler's maps, mapped
/// into memory, or memory of our own where there is no kernel to share them with.
@safe final class UnwindArrays {
  /// Rows, in whole chunks.
  let rowCapacity: Int
  static let chunkRows = Int(PYROREC_CHUNK_ROWS)
  static let pageCapacity = Int(PYROREC_MAX_PAGES)
  static let pageBits = Int(PYROREC_UNWIND_PAGE_BITS)
  static let mappingCapacity = Int(PYROREC_MAX_MAPPINGS)
  static let ruleCapacity = Int(PYROREC_MAX_RULES)

  let rows: UnsafeMutableBufferPointer<UInt32>
  let pages: UnsafeMutableBufferPointer<pyrorec_unwind_page>
  let mappings: UnsafeMutableBufferPointer<pyrorec_unwind_mapping>
  let rules: UnsafeMutableBufferPointer<pyrorec_unwind_rule>
  /// The map of processes; -1 for none.
  private let processes: Int32
  /// The map of rows; -1 for memory of our own, which is there whole.
  private let chunks: Int32
  /// Rows from the first on that are there to be written and read. All of a map that is mapped counts as this process's
  /// memory, so no more of it is than has been needed.
  private(set) var reachableRows: Int

  /// The descriptors of the sampler's maps.
  struct Maps {
    var chunks: Int32
    var pages: Int32
    var mappings: Int32
    var rules: Int32
    var processes: Int32
  }

  /// Chunks of rows that `budget` bytes hold.
  static func chunkCount(budget: Int) -> Int { max(budget / MemoryLayout<pyrorec_unwind_chunk>.size, 1) }

  /// - Parameter maps: `nil` for memory of our own.
  init(budget: Int, maps: Maps?) throws(SystemCallError) {
    rowCapacity = Self.chunkCount(budget: budget) * Self.chunkRows
    processes = maps?.processes ?? -1
    chunks = maps?.chunks ?? -1
    reachableRows = maps == nil ? rowCapacity : 0
    unsafe rows = try Self.map(rowCapacity, nil, access: maps == nil ? PROT_READ | PROT_WRITE : PROT_NONE)
    unsafe pages = try Self.map(Self.pageCapacity, maps?.pages)
    unsafe mappings = try Self.map(Self.mappingCapacity, maps?.mappings)
    unsafe rules = try Self.map(Self.ruleCapacity, maps?.rules)
  }

  deinit {
    unsafe Self.unmap(rows)
    unsafe Self.unmap(pages)
    unsafe Self.unmap(mappings)
    unsafe Self.unmap(rules)
  }

  private static func map<Element>(
    _ count: Int, _ descriptor: Int32?, access: Int32 = PROT_READ | PROT_WRITE
  ) throws(SystemCallError) -> UnsafeMutableBufferPointer<Element> {
    let flags = descriptor == nil ? MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE : MAP_SHARED
    guard
      let start = unsafe mmap(nil, bytes(Element.self, count), access, flags, descriptor ?? -1, 0),
      unsafe start != MAP_FAILED
    else { throw SystemCallError(call: "mmap", path: "unwind tables", code: errno) }
    // Safe: the mapping is fresh, zero-filled, page-aligned and at least so long; the elements are plain C values.
    return unsafe UnsafeMutableBufferPointer(start: start.bindMemory(to: Element.self, capacity: count), count: count)
  }

  private static func unmap<Element>(_ elements: UnsafeMutableBufferPointer<Element>) {
    _ = unsafe munmap(elements.baseAddress, bytes(Element.self, elements.count))
  }

  private static func bytes<Element>(_: Element.Type, _ count: Int) -> Int {
    let page = Int(sysconf(Int32(_SC_PAGESIZE)))
    return (count * MemoryLayout<Element>.stride + page - 1) / page * page
  }

  /// Makes the rows below `end` reachable; `false` when the system has no memory for it.
  func reach(rows end: Int) -> Bool {
    guard end > reachableRows else { return true }
    guard end <= rowCapacity, let base = unsafe rows.baseAddress else { return false }
    let from = reachableRows
    let to = min((end + Self.chunkRows - 1) / Self.chunkRows * Self.chunkRows, rowCapacity)
    // Safe: the addresses are this object's own, reserved and not used yet; chunks are whole pages of the map.
    let mapped = unsafe mmap(
      base + from, Self.bytes(UInt32.self, to - from), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, chunks, from * 4)
    guard unsafe mapped != MAP_FAILED else { return false }
    reachableRows = to
    return true
  }

  // MARK: Publishing

  /// Changes which pages a mapping has; what they say is seen by whoever sees them.
  func setTable(_ table: UInt64, ofMapping index: Int) {
    // Safe: within the mappings, by the precondition; the field is a naturally aligned word.
    precondition(index >= 0 && index < Self.mappingCapacity)
    guard let base = unsafe mappings.baseAddress else { return }
    unsafe pyrorec_store_release(&base[index].table, table)
  }

  /// Lets the sampler unwind the process in that address space.
  func point(_ process: UInt32, to value: pyrorec_unwind_process) {
    guard processes >= 0 else { return }
    var key = process
    var value = value
    _ = unsafe bpf_map_update_elem(processes, &key, &value, 0)
  }

  func forget(_ process: UInt32) {
    guard processes >= 0 else { return }
    var key = process
    _ = unsafe bpf_map_delete_elem(processes, &key)
  }
}
