/// Finds 64-bit keys and numbers them in the order they came, from 0.
///
/// Keys come from files, so where they go depends on a seed of the process; nothing that is shown does.
package struct KeyTable: Sendable {
  package private(set) var keys: [Int64] = []
  /// A key's number + 1, 0 for none; a power of two many, at most half of them taken.
  private var slots: [UInt32]
  private static let seed = UInt64(truncatingIfNeeded: Hasher().finalize()) | 1

  package init(capacity: Int = 16) {
    var size = 32
    while size < capacity * 2 { size *= 2 }
    slots = [UInt32](repeating: 0, count: size)
  }

  package var count: Int { keys.count }

  @inline(__always)
  private static func hash(_ key: Int64) -> Int {
    let (high, low) = (UInt64(bitPattern: key) ^ seed).multipliedFullWidth(by: 0x9e37_79b9_7f4a_7c15)
    return Int(truncatingIfNeeded: high ^ low)
  }

  package func find(_ key: Int64) -> Int? {
    let mask = slots.count &- 1
    var slot = Self.hash(key) & mask
    while true {
      let number = slots[slot]
      if number == 0 { return nil }
      if keys[Int(number) &- 1] == key { return Int(number) &- 1 }
      slot = (slot &+ 1) & mask
    }
  }

  /// The number of `key`, which gets one when it has none yet.
  /// - Returns: the number, and whether it is new.
  package mutating func insert(_ key: Int64) -> (number: Int, isNew: Bool) {
    if let known = find(key) { return (known, false) }
    if (keys.count + 1) * 2 > slots.count { grow() }
    keys.append(key)
    put(key, UInt32(truncatingIfNeeded: keys.count))
    return (keys.count - 1, true)
  }

  private mutating func put(_ key: Int64, _ number: UInt32) {
    let mask = slots.count &- 1
    var slot = Self.hash(key) & mask
    while slots[slot] != 0 { slot = (slot &+ 1) & mask }
    slots[slot] = number
  }

  private mutating func grow() {
    slots = [UInt32](repeating: 0, count: slots.count * 2)
    for (index, key) in keys.enumerated() { put(key, UInt32(truncatingIfNeeded: index + 1)) }
  }
}
