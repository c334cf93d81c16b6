/// What was seen of each key so far, in flat arrays: the two keys that followed it last, and its number if it has one.
///
/// A key's slot never changes, so whoever has it need not look the key up again.
struct ValueTable {
  struct Entry {
    let key: UInt64
    /// The slots of what followed last and before last; `older` holds nothing of use when only one followed.
    fileprivate(set) var newest: Int32 = 0
    fileprivate(set) var older: Int32 = 0
    fileprivate(set) var number: Int32 = -1
    fileprivate(set) var followers: UInt8 = 0
  }
  private(set) var entries: [Entry] = []
  /// Open addressing: a slot plus 1, or 0. A power of two.
  private var buckets: [Int32]

  /// - Parameter expected: about how many keys there will be; more only take longer.
  init(expected: Int = 1 << 10) {
    var count = 1 << 8
    while count < min(expected, 1 << 16) * 2 { count *= 2 }
    buckets = [Int32](repeating: 0, count: count)
    entries.reserveCapacity(count / 2)
  }

  /// The slot of `key`, made when there is none.
  @inline(__always) mutating func slot(of key: UInt64) -> Int {
    var bucket = Self.hash(key) & (buckets.count &- 1)
    while true {
      let entry = Int(buckets[bucket])
      if entry == 0 { break }
      if entries[entry &- 1].key == key { return entry &- 1 }
      bucket = (bucket &+ 1) & (buckets.count &- 1)
    }
    return add(key, bucket)
  }

  private mutating func add(_ key: UInt64, _ bucket: Int) -> Int {
    entries.append(Entry(key: key))
    buckets[bucket] = Int32(entries.count)
    if entries.count &* 2 > buckets.count { grow() }
    return entries.count &- 1
  }

  @inline(__always) mutating func number(_ slot: Int, _ number: Int) { entries[slot].number = Int32(truncatingIfNeeded: number) }

  /// Notes that the key of slot `next` followed the key of `slot`.
  @inline(__always) mutating func follow(_ slot: Int, _ next: Int) {
    let next = Int32(truncatingIfNeeded: next)
    var entry = entries[slot]
    if entry.followers == 0 {
      entry.followers = 1
      entry.newest = next
    } else if entry.newest != next {
      entry.followers = 2
      entry.older = entry.newest
      entry.newest = next
    }
    entries[slot] = entry
  }

  @inline(__always) private static func hash(_ key: UInt64) -> Int {
    let mixed = key &* 0x9e37_79b9_7f4a_7c15
    return Int(truncatingIfNeeded: (mixed ^ (mixed &>> 29)) &>> 12)
  }

  private mutating func grow() {
    buckets = [Int32](repeating: 0, count: buckets.count * 2)
    for index in entries.indices {
      var bucket = Self.hash(entries[index].key) & (buckets.count &- 1)
      while buckets[bucket] != 0 { bucket = (bucket &+ 1) & (buckets.count &- 1) }
      buckets[bucket] = Int32(index + 1)
    }
  }
}

/// A short list of what was used last, the newest first.
struct RecentList {
  private var values: [UInt64] = []
  private let limit: Int
  init(limit: Int) { self.limit = limit }

  @inline(__always) func rank(of value: UInt64) -> Int? { values.firstIndex(of: value) }
  @inline(__always) func value(at rank: Int) -> UInt64? { rank < values.count ? values[rank] : nil }

  /// Moves the value at `rank` to the front.
  @inline(__always) mutating func use(_ rank: Int) {
    let value = values[rank]
    var index = rank
    while index > 0 {
      values[index] = values[index &- 1]
      index &-= 1
    }
    values[0] = value
  }

  mutating func add(_ value: UInt64) {
    if values.count == limit { values.removeLast() }
    values.insert(value, at: 0)
  }
}

/// Regions of the address space, 64 MiB each, with the last address in each; the one used last comes first.
struct RecentRegions {
  static let bits: UInt64 = 26
  /// The rank that stands for none: a byte holds it.
  static let limit = 255
  private var addresses: [UInt64] = []
  /// The number of the region used last.
  private(set) var last: UInt64 = 0

  /// The place of `address`'s region, or `limit`.
  @inline(__always) func rank(of address: UInt64) -> Int {
    let region = address &>> Self.bits
    for index in addresses.indices where addresses[index] &>> Self.bits == region { return index }
    return Self.limit
  }

  /// The last address in the region at `rank`, which comes first from now on; `nil` when there is none.
  mutating func use(_ rank: Int) -> UInt64? {
    guard rank < addresses.count else { return nil }
    let address = addresses[rank]
    var index = rank
    while index > 0 {
      addresses[index] = addresses[index &- 1]
      index &-= 1
    }
    addresses[0] = address
    last = address &>> Self.bits
    return address
  }

  mutating func add(_ address: UInt64) {
    if addresses.count == Self.limit { addresses.removeLast() }
    addresses.insert(address, at: 0)
    last = address &>> Self.bits
  }

  /// Notes that `address` is the last in its region, if that is one of these.
  @inline(__always) mutating func note(_ address: UInt64) {
    let rank = rank(of: address)
    if rank < addresses.count { addresses[rank] = address }
  }
}
