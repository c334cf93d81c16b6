import Base

/// What is mapped in one address space.
struct AddressSpaceMap: Sendable {
  struct Mapping: AddressInterval, Sendable {
    var start: UInt64
    var end: UInt64
    var fileOffset: UInt64
    var image: UInt32

    mutating func moveStart(to address: UInt64) {
      fileOffset &+= address &- start
      start = address
    }
  }
  var process: UInt32
  private var map = IntervalMap<Mapping>()

  init(process: UInt32) { self.process = process }

  var count: Int { map.intervals.count }
  /// In order of address.
  var mappings: [Mapping] { map.intervals }

  /// Puts `new` over whatever it overlaps.
  mutating func insert(_ new: Mapping) { map.insert(new) }

  func mapping(at address: UInt64) -> Mapping? { map.interval(at: address) }
}
