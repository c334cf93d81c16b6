package import Base
import CRecorderABI
package import ObjectFile

/// The unwind rules of one file: sorted rows, an index of 64 KiB pages and the rules the rows name (`pyrorec_unwind.h`).
package struct UnwindTable: Hashable, Sendable {
  /// Bits of an address that a row holds.
  static let pageBits = UInt64(PYROREC_UNWIND_PAGE_BITS)

  package let machine: ElfMachine
  /// Where the file's code is mapped: turns a mapping's file offset into the addresses the rows speak of.
  package let layout: ImageLayout
  /// The page (image address >> 16) of the first row; 0 when there are no rows.
  package let firstPage: UInt64
  /// For every page from `firstPage` on the index of its first row, and the number of rows at the end; empty when there are none.
  package let pageStarts: [UInt32]
  /// The low 16 bits of the address where the row begins, and the number of its rule above them.
  package let rows: [UInt32]
  /// The rules of the numbers from `RuleNumber.first` on; at most 65,520.
  package let rules: [UnwindRule]

  /// Of a file that does not say how to unwind its code.
  package static let empty = UnwindTable(
    machine: .x86_64, layout: ImageLayout([ImageLayout.Segment]()), firstPage: 0, pageStarts: [], rows: [], rules: [])

  package static func address(low row: UInt32, page: UInt64) -> UInt64 { page << pageBits | UInt64(row & 0xffff) }
  package static func rule(of row: UInt32) -> UInt16 { UInt16(row >> 16) }

  /// The number of the rule at `address`: that of the last row that begins at or below it.
  ///
  /// For a return address ask for one byte less.
  package func rule(at address: ImageAddress) -> UInt16 {
    let page = address.rawValue >> Self.pageBits
    guard page >= firstPage, pageStarts.count >= 2 else { return RuleNumber.none }
    let place = Int(min(page - firstPage, UInt64(pageStarts.count - 2)))
    let low = page - firstPage > UInt64(pageStarts.count - 2) ? 0xffff : UInt32(address.rawValue & 0xffff)
    var first = Int(pageStarts[place])
    var last = Int(pageStarts[place + 1])
    while first < last {
      let middle = (first + last) / 2
      if rows[middle] & 0xffff <= low { first = middle + 1 } else { last = middle }
    }
    return first == 0 ? RuleNumber.none : Self.rule(of: rows[first - 1])
  }

  /// What a number of `rule(at:)` stands for; `nil` for those below `RuleNumber.first`.
  package func rule(numbered number: UInt16) -> UnwindRule? {
    guard number >= RuleNumber.first, Int(number - RuleNumber.first) < rules.count else { return nil }
    return rules[Int(number - RuleNumber.first)]
  }

  /// What the rows, the pages and the rules take in the sampler's memory, without the other tables that have the same rules.
  package var byteCount: Int {
    let pageCount = max(pageStarts.count - 1, 0)
    return rows.count * 4 + pageCount * MemoryLayout<pyrorec_unwind_page>.stride + rules.count * MemoryLayout<UnwindRule>.stride
  }
}
