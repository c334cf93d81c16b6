@testable import DebugInfo
import Base
import Testing

@Suite struct AddressMapTests {
  private func units(_ entries: [(UInt64, UInt64, Int32)], _ addresses: [UInt64]) -> [Int32?] {
    let map = AddressMap(entries.map { AddressMap.Entry(start: $0.0, end: $0.1, unit: $0.2) })
    var from = 0
    return addresses.map { map.unit(at: $0, from: &from) }
  }

  @Test func `gaps belong to no unit`() {
    #expect(units([(10, 20, 0), (30, 40, 1)], [9, 10, 19, 20, 29, 30, 39, 40]) == [nil, 0, 0, nil, nil, 1, 1, nil])
  }

  @Test func `where ranges overlap the one that starts last has the addresses`() {
    #expect(units([(10, 50, 0), (20, 30, 1), (25, 60, 2)], [10, 20, 24, 25, 35, 55, 60]) == [0, 1, 1, 2, 2, 2, nil])
  }

  @Test func `of equal ranges the first unit's counts, as the linker keeps the first copy`() {
    #expect(units([(10, 20, 3), (10, 20, 1), (10, 20, 2)], [15]) == [1])
  }

  @Test func `looking up in any order finds the same`() {
    var random: UInt64 = 1
    var entries: [(UInt64, UInt64, Int32)] = []
    for unit in 0..<200 {
      random = random &* 6_364_136_223_846_793_005 &+ 1
      let start = random >> 52
      entries.append((start, start + (random >> 40 & 63), Int32(unit)))
    }
    let addresses = (0..<4200).map { UInt64($0) }
    let ascending = units(entries, addresses)
    #expect(units(entries, addresses.reversed()).reversed() == ascending)
    // By the rule itself: the last to start, the shortest, the first unit.
    for address in addresses {
      let covering = entries.filter { $0.0 <= address && address < $0.1 }
      let best = covering.max { (b: (UInt64, UInt64, Int32), a: (UInt64, UInt64, Int32)) in (b.0, a.1, a.2) < (a.0, b.1, b.2) }
      #expect(ascending[Int(address)] == best?.2)
    }
  }

  @Test func `a set of ranges for a unit that is not there is left out, and zeros in the middle do not end one`() {
    let info = DwarfBytes.withLength {
      $0.u16(4)
      $0.u32(0)
      $0.u8(8)
    }
    let headers = UnitHeader.all(info.borrowedBytes)
    func set(_ unit: UInt32) -> [UInt8] {
      DwarfBytes.withLength {
        $0.u16(2)
        $0.u32(unit)
        $0.u8(8, 0)
        $0.u32(0)  // padding
        for pair in [(0x100, 0x10), (0, 0), (0x200, 0x10), (0, 0)] {
          $0.u64(UInt64(pair.0))
          $0.u64(UInt64(pair.1))
        }
      }
    }
    let (entries, isCovered) = AddressRangeTable((set(7) + set(0)).borrowedBytes).entries(of: headers)
    #expect(entries.map(\.start) == [0x100, 0x200])
    #expect(isCovered == [true])
  }
}
