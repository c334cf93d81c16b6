import Base
import Synchronization

/// The code that `.debug_aranges` leaves out: a table that is wrong must hide no unit. Every unit is asked for its own ranges
/// when an address that no set has is first asked for.
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

  func unit(at address: UInt64, workers: Int) -> Int32? {
    map.withLock { map in
      let known: AddressMap
      if let made = map {
        known = made
      } else {
        known = AddressMap(UnitRanges.read(sections, headers, workers: workers, isWanted: { _ in true }))
        map = known
      }
      var from = 0
      return known.unit(at: address, from: &from)
    }
  }
}
