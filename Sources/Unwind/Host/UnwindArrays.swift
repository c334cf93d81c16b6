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
  package static let mappingCapacity = Int(PYROREC_MAX_MAPPINGS)
  package static let ruleCapacity = Int(PYROREC_MAX_RULES)

  package let rows: UnsafeMutableBufferPointer<UInt32>
  package let pages: UnsafeMutableBufferPointer<pyrorec_unwind_page>
  package let touched: UnsafeMutableBufferPointer<UInt64>
  package let mappings: UnsafeMutableBufferPointer<pyrorec_unwind_mapping>
  package let rules: UnsafeMutableBufferPointer<pyrorec_unwind_rule>

  /// The descriptors of the sampler's maps.
  package struct Maps {
    var chunks: Int32
    var pages: Int32
    var touched: Int32
    var mappings: Int32
    var rules: Int32
    package init(chunks: Int32, pages: Int32, touched: Int32, mappings: Int32, rules: Int32) {
      (self.chunks, self.pages, self.touched, self.mappings, self.rules) = (chunks, pages, touched, mappings, rules)
    }
  }

  /// Chunks of rows that `budget` bytes hold.
  package static func chunkCount(budget: Int) -> Int { max(budget / MemoryLayout<pyrorec_unwind_chunk>.size, 1) }

  /// - Parameter maps: `nil` for memory of our own.
  package init(budget: Int, maps: Maps?) throws(SystemCallError) {
    rowCapacity = Self.chunkCount(budget: budget) * Self.chunkRows
    unsafe rows = try Self.map(rowCapacity, maps?.chunks)
    unsafe pages = try Self.map(Self.pageCapacity, maps?.pages)
    unsafe touched = try Self.map(Self.pageCapacity, maps?.touched)
    unsafe mappings = try Self.map(Self.mappingCapacity, maps?.mappings)
    unsafe rules = try Self.map(Self.ruleCapacity, maps?.rules)
  }

  deinit {
    unsafe Self.unmap(rows)
    unsafe Self.unmap(pages)
    unsafe Self.unmap(touched)
    unsafe Self.unmap(mappings)
    unsafe Self.unmap(rules)
  }

  private static func map<Element>(
    _ count: Int, _ descriptor: Int32?
  ) throws(SystemCallError) -> UnsafeMutableBufferPointer<Element> {
    let flags = descriptor == nil ? MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE : MAP_SHARED
    guard
      let start = unsafe mmap(nil, bytes(Element.self, count), PROT_READ | PROT_WRITE, flags, descriptor ?? -1, 0),
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
