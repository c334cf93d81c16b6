/// An open-addressing table from hashes to the places of values that are kept elsewhere, in flat arrays.
///
/// It never decides an order: values keep the order they were added in, so its random seed does not show in any output.
struct HashIndex: Sendable {
  /// The upper half of the hash, then the place + 1; 0 is an empty slot. A power of two many, at most half of them full.
  private var slots: [UInt64]
  private var count = 0

  init(capacity: Int = 16) {
    var size = 32
    while size < capacity * 2 { size *= 2 }
    slots = [UInt64](repeating: 0, count: size)
  }

  /// The place for which `isEqual` holds among those entered under `hash`.
  @inline(__always)
  func find(_ hash: UInt64, where isEqual: (Int) -> Bool) -> Int? {
    let mask = slots.count &- 1
    let tag = hash & 0xffff_ffff_0000_0000
    var slot = Int(truncatingIfNeeded: hash &>> 32) & mask
    while true {
      let entry = slots[slot]
      if entry == 0 { return nil }
      if entry & 0xffff_ffff_0000_0000 == tag {
        let place = Int(truncatingIfNeeded: entry & 0xffff_ffff) &- 1
        if isEqual(place) { return place }
      }
      slot = (slot &+ 1) & mask
    }
  }

  /// Enters `place`, which `find` did not find, under `hash`.
  mutating func insert(_ hash: UInt64, place: Int) {
    if (count + 1) * 2 > slots.count { grow() }
    put((hash & 0xffff_ffff_0000_0000) | UInt64(UInt32(place + 1)))
    count += 1
  }

  private mutating func put(_ entry: UInt64) {
    let mask = slots.count &- 1
    var slot = Int(truncatingIfNeeded: entry &>> 32) & mask
    while slots[slot] != 0 { slot = (slot &+ 1) & mask }
    slots[slot] = entry
  }

  private mutating func grow() {
    let old = slots
    slots = [UInt64](repeating: 0, count: old.count * 2)
    for entry in old where entry != 0 { put(entry) }
  }
}

/// Mixes integers into a hash, seeded anew in each process so that nobody can prepare names or addresses that collide.
struct IntegerHash {
  private static let seed = UInt64(truncatingIfNeeded: Hasher().finalize()) | 1
  private(set) var value = IntegerHash.seed

  @inline(__always)
  mutating func combine(_ number: UInt64) {
    let (high, low) = (value ^ number).multipliedFullWidth(by: 0x9e37_79b9_7f4a_7c15)
    value = high ^ low &+ 0x2545_f491_4f6c_dd1d
  }

  @inline(__always)
  mutating func combine(_ number: UInt32) { combine(UInt64(number)) }
}
