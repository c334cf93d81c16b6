package import Base
import CRecorderABI
package import ObjectFile

/// Address spaces and the tables of what is mapped in them, in memory of our own, for finding the callers in copies of stacks.
///
/// `@unchecked Sendable`: the arrays are written while it is made and only read after.
package final class OfflineSpaces: @unchecked Sendable {
  package enum Image: Sendable {
    /// An index of the tables.
    case table(Int)
    /// The file says nothing about its frames.
    case withoutTable
    /// Nobody knows what the file says.
    case unknown
    /// Memory without a file.
    case anonymous
  }
  package struct Mapping: Sendable {
    package var start: UInt64
    package var end: UInt64
    package var fileOffset: UInt64
    package var image: Image
    package init(start: UInt64, end: UInt64, fileOffset: UInt64, image: Image) {
      (self.start, self.end, self.fileOffset, self.image) = (start, end, fileOffset, image)
    }
  }
  /// `struct pyrorec_unwind_state`.
  package struct Registers: Sendable {
    package var pc: UInt64 = 0
    package var sp: UInt64 = 0
    package var fp: UInt64 = 0
    package var lr: UInt64 = 0
    /// By DWARF's numbers; those left out at the end are 0.
    package var numbered: [UInt64] = []
    package var isReturnAddress = false
    package var isComplete = false
    package init() {}

    fileprivate var state: pyrorec_unwind_state {
      var state = pyrorec_unwind_state()
      state.pc = pc
      state.sp = sp
      state.fp = fp
      state.lr = lr
      // Safe: a tuple of 64-bit words, written as the words it is made of, no more than there are.
      unsafe withUnsafeMutableBytes(of: &state.numbered) { words in
        let words = unsafe words.bindMemory(to: UInt64.self)
        for (index, value) in numbered.prefix(words.count).enumerated() { unsafe words[index] = value }
      }
      state.flags =
        UInt64(isReturnAddress ? PYROREC_STATE_RETURN_ADDRESS : 0) | UInt64(isComplete ? PYROREC_STATE_REGISTERS : 0)
      return state
    }
  }

  /// Rows of all tables together: 1 GiB.
  package static let maximumRowCount = 1 << 28

  private let machine: ElfMachine
  private let arrays: UnwindArrays
  /// By space: its mappings among all; `nil` where there was no room for them.
  private var slices: [Range<Int>?] = []

  /// - Parameters:
  ///   - machine: whose registers and rules they are.
  ///   - spaces: each in order of address, none overlapping another.
  /// - Throws: when there is no memory.
  package init(machine: ElfMachine, tables: [UnwindTable], spaces: [[Mapping]]) throws(SystemCallError) {
    self.machine = machine
    let rowCount = tables.reduce(0) { min($0 + $1.rows.count, Self.maximumRowCount) }
    // A chunk's end may be left over by rows that lie together, and each table begins a run of its own.
    let chunks = rowCount / (UnwindArrays.chunkRows / 2) + 1
    arrays = try UnwindArrays(budget: chunks * UnwindArrays.chunkRows * 4, maps: nil)
    let store = TableStore(arrays)
    let stored = tables.map { store.load($0) }
    var next = 0
    for mappings in spaces {
      // As in a recording: the unwinder's searches count on addresses below 2^63.
      let mappings = mappings.filter { $0.end < 1 << 63 && $0.start < $0.end }
      guard next + mappings.count <= UnwindArrays.mappingCapacity else {
        slices.append(nil)
        continue
      }
      for (index, mapping) in mappings.enumerated() { arrays.put(Self.word(mapping, stored), at: next + index) }
      slices.append(next..<next + mappings.count)
      next += mappings.count
    }
  }

  private static func word(_ mapping: Mapping, _ stored: [StoredTable?]) -> pyrorec_unwind_mapping {
    var result = pyrorec_unwind_mapping(begin: mapping.start, end: mapping.end, bias: 0, table: 0)
    switch mapping.image {
    case .unknown: result.table = UInt64(PYROREC_ABSENCE_PENDING.rawValue)
    case .anonymous: result.table = UInt64(PYROREC_ABSENCE_ANONYMOUS.rawValue)
    case .withoutTable: result.table = UInt64(PYROREC_ABSENCE_NO_TABLE.rawValue)
    case .table(let index):
      guard let table = stored[index] else {
        result.table = UInt64(PYROREC_ABSENCE_PENDING.rawValue)
        break
      }
      guard let bias = table.bias(start: mapping.start, end: mapping.end, fileOffset: mapping.fileOffset) else {
        result.table = UInt64(PYROREC_ABSENCE_NO_TABLE.rawValue)
        break
      }
      result.bias = bias
      result.table = table.table.word
    }
    return result
  }

  /// Goes on from `registers`, the caller of `frames`; `nil` where the space had no room.
  /// - Parameter stack: memory from the stack pointer rounded down to 8.
  package func unwind(
    _ registers: Registers, after frames: [UInt64], inSpace index: Int, stack: [UInt8]
  ) -> (frames: [UInt64], result: UInt8, isGuessed: Bool)? {
    guard slices.indices.contains(index), let slice = slices[index] else { return nil }
    let found = HostUnwinding(
      from: registers.state, after: frames, in: arrays, mappings: slice, stack: stack, machine: machine, process: 0)
    // Where its caller cannot be known yet, the last frame is left to whoever goes on.
    let isPending = found.result == UInt8(PYROREC_UNWIND_TABLES_PENDING.rawValue)
    return (isPending ? found.frames + [found.state.pc] : found.frames, found.result, found.guesses != 0)
  }
}
