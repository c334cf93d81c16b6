import Base
import Synchronization

/// The code of all units as they state it themselves: `.debug_aranges` may leave code out, and may claim another unit's. Every
/// unit is asked when an address is first looked for that the table does not have or a unit of the table does not know of.
final class UnlistedCode: Sendable {
  private let sections: DebugSections
  private let headers: [UnitHeader]
  private let map: Mutex<AddressMap?>

  /// - Parameter hasTable: without one every unit was asked before.
  init(_ sections: DebugSections, _ headers: [UnitHeader], hasTable: Bool) {
    self.sections = sections
    self.headers = headers
    map = Mutex(hasTable ? nil : AddressMap())
  }

  /// Of what was asked so far.
  var byteCount: Int { map.withLock { $0?.byteCount ?? 0 } }

  func unit(at address: UInt64, workers: Int) -> Int32? {
    map.withLock { map in
      let known: AddressMap
      if let made = map {
        known = made
      } else {
        let budget = WorkBudget(byteCount: sections.byteCount)
        known = AddressMap(UnitRanges.read(sections, headers, workers: workers, budget, isWanted: { _ in true }))
        map = known
      }
      var from = 0
      return known.unit(at: address, from: &from)
    }
  }
}
