/// An open-addressing table from hashes to the places of values that are kept elsewhere, in flat arrays.
///
/// It never decides an order: values keep the order they were added in, so its random seed does not show in any output.
public struct HashIndex: Sendable {
  /// The upper half of the hash, then the place + 1; 0 is an empty slot. A power of two many, at most half of them full.
  @usableFromInline var slots: [UInt64]
  @usableFromInline var count = 0

  /// Makes room for `capacity` places; more are possible.
  public init(capacity: Int = 16) {
    var size = 32
    while size < capacity * 2 { size *= 2 }
    slots = [UInt64](repeating: 0, count: size)
  }

  /// The place for which `isEqual` holds among those entered under `hash`.
  @inlinable @inline(__always)
  public func find(_ hash: UInt64, where isEqual: (Int) -> Bool) -> Int? {
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

  /// Enters `place`, below 2^32 - 1, which `find` did not find, under `hash`.
  @inlinable @inline(__always)
  public mutating func insert(_ hash: UInt64, place: Int) {
    if (count &+ 1) &* 2 > slots.count { grow() }
    put((hash & 0xffff_ffff_0000_0000) | UInt64(UInt32(place + 1)))
    count &+= 1
  }

  @inlinable @inline(__always)
  mutating func put(_ entry: UInt64) {
    let mask = slots.count &- 1
    var slot = Int(truncatingIfNeeded: entry &>> 32) & mask
    while slots[slot] != 0 { slot = (slot &+ 1) & mask }
    slots[slot] = entry
  }

  @usableFromInline mutating func grow() {
    let old = slots
    slots = [UInt64](repeating: 0, count: old.count * 2)
    for entry in old where entry != 0 { put(entry) }
  }
}

/// Mixes integers into a hash, seeded anew in each process so that nobody can prepare names or addresses that collide.
@frozen public struct IntegerHash: Sendable {
  @usableFromInline static let seed = UInt64(truncatingIfNeeded: Hasher().finalize()) | 1
  @usableFromInline var state: UInt64
  /// The hash of what was taken in so far.
  @inlinable @inline(__always) public var value: UInt64 { state }

  public init() { state = Self.seed }

  /// Takes `number` in.
  @inlinable @inline(__always)
  public mutating func combine(_ number: UInt64) {
    state = Self.mixed(state, number)
  }

  @inlinable @inline(__always)
  public mutating func combine(_ number: UInt32) { combine(UInt64(number)) }

  @inlinable @inline(__always)
  static func mixed(_ value: UInt64, _ number: UInt64) -> UInt64 {
    let (high, low) = (value ^ number).multipliedFullWidth(by: 0x9e37_79b9_7f4a_7c15)
    return high ^ low &+ 0x2545_f491_4f6c_dd1d
  }

  /// Mixes in bytes, eight at a time, and their number.
  @inlinable
  public mutating func combine(bytes: Span<UInt8>) {
    let raw = unsafe bytes.bytes
    var offset = 0
    var mixed = state ^ UInt64(truncatingIfNeeded: raw.byteCount)
    while offset &+ 8 <= raw.byteCount {
      // Safe: eight bytes from `offset` lie inside by the loop's condition.
      mixed = Self.mixed(mixed, unsafe raw.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
      offset &+= 8
    }
    var rest: UInt64 = 0
    while offset < raw.byteCount {
      // Safe: `offset` lies inside by the loop's condition.
      rest = rest &<< 8 | UInt64(unsafe raw.unsafeLoad(fromByteOffset: offset, as: UInt8.self))
      offset &+= 1
    }
    state = Self.mixed(mixed, rest)
  }
}
