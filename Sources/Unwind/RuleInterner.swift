/// Numbers rules in the order they are first met; equal rules get one number.
///
/// A flat table with open addressing: it is asked once for every row.
struct RuleInterner {
  /// A row has 16 bits for the number.
  static let maximumCount = 0xffff - Int(RuleNumber.first) + 1

  private(set) var rules: [UnwindRule] = []
  /// A power of two; index + 1 of a rule, or 0.
  private var slots: [UInt32]
  private var mask: Int

  init(slotCount: Int = 1024) {
    slots = [UInt32](repeating: 0, count: slotCount)
    mask = slotCount - 1
  }

  /// The rule's number; `RuleNumber.unsupported` when there is no number left.
  @inline(__always) mutating func number(of rule: UnwindRule) -> UInt16 {
    var place = Self.hash(rule) & mask
    while true {
      let slot = slots[place]
      if slot == 0 { return insert(rule, at: place) }
      if rules[Int(slot) - 1] == rule { return RuleNumber.first &+ UInt16(truncatingIfNeeded: slot - 1) }
      place = (place &+ 1) & mask
    }
  }

  private mutating func insert(_ rule: UnwindRule, at place: Int) -> UInt16 {
    guard rules.count < Self.maximumCount else { return RuleNumber.unsupported }
    rules.append(rule)
    slots[place] = UInt32(rules.count)
    if rules.count * 2 > slots.count { grow() }
    return RuleNumber.first + UInt16(rules.count - 1)
  }

  private mutating func grow() {
    mask = slots.count * 2 - 1
    slots = [UInt32](repeating: 0, count: mask + 1)
    for (index, rule) in rules.enumerated() {
      var place = Self.hash(rule) & mask
      while slots[place] != 0 { place = (place + 1) & mask }
      slots[place] = UInt32(index + 1)
    }
  }

  @inline(__always) private static func hash(_ rule: UnwindRule) -> Int {
    let words = rule.words
    let value = (words.0 ^ (words.1 << 17 | words.1 >> 47) ^ (words.2 << 41 | words.2 >> 23)) &* 0x9e37_79b9_7f4a_7c15
    return Int(truncatingIfNeeded: value >> 32)
  }
}
