package import Base
package import CRecorderABI
import CUnwind
import Glibc

/// The flat arrays of `pyrorec_layout.h`, which the unwinder reads while this process writes them: the sampler's maps, mapped
/// into memory, or memory of our own where there is no kernel to share them with.
@safe package final class UnwindArrays {
  /// Rows, in whole chunks.
  package let rowCapacity: Int
  package static let chunkRows = Int(PYROREC_CHUNK_ROWS)
  package static let pageCapacity = Int(PYROREC_MAX_PAGES)
  static let pageBits = Int(PYROREC_UNWIND_PAGE_BITS)
  package static let mappingCapacity = Int(PYROREC_MAX_MAPPINGS)
  package static let ruleCapacity = Int(PYROREC_MAX_RULES)

  package let rows: UnsafeMutableBufferPointer<UInt32>
  package let pages: UnsafeMutableBufferPointer<pyrorec_unwind_page>
  package let mappings: UnsafeMutableBufferPointer<pyrorec_unwind_mapping>
  package let rules: UnsafeMutableBufferPointer<pyrorec_unwind_rule>
  /// The map of rows; -1 for memory of our own, which is there whole.
  private let chunks: Int32
  /// Rows from the first on that are there to be written and read. All of a map that is mapped counts as this process's
  /// memory, so no more of it is than has been needed.
  package private(set) var reachableRows: Int

  /// The descriptors of the sampler's maps.
  package struct Maps {
    var chunks: Int32
    var pages: Int32
    var mappings: Int32
    var rules: Int32
    package init(chunks: Int32, pages: Int32, mappings: Int32, rules: Int32) {
      (self.chunks, self.pages, self.mappings, self.rules) = (chunks, pages, mappings, rules)
    }
  }

  /// Chunks of rows that `budget` bytes hold.
  package static func chunkCount(budget: Int) -> Int { max(budget / MemoryLayout<pyrorec_unwind_chunk>.size, 1) }

  /// - Parameter maps: `nil` for memory of our own.
  package init(budget: Int, maps: Maps?) throws(SystemCallError) {
    rowCapacity = Self.chunkCount(budget: budget) * Self.chunkRows
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

  /// Writes a mapping that nobody looks at yet.
  package func put(_ mapping: pyrorec_unwind_mapping, at index: Int) {
    precondition(index >= 0 && index < Self.mappingCapacity)
    // Safe: within the mappings, by the precondition.
    unsafe mappings[index] = mapping
  }

  /// Changes which pages a mapping has; what they say is seen by whoever sees them.
  package func setTable(_ table: UInt64, ofMapping index: Int) {
    // Safe: within the mappings, by the precondition; the field is a naturally aligned word.
    precondition(index >= 0 && index < Self.mappingCapacity)
    guard let base = unsafe mappings.baseAddress else { return }
    unsafe pyrorec_publish_table(&base[index], table)
  }
}
