import Base

/// How the stacks and nodes of a `StackBatch` are coded; `docs/trace-format.md`, "Stacks".
///
/// What a frame's caller called before is what it calls again: a node's address is foretold from its parent's, then from
/// all addresses of the batch, then from addresses near by.
struct StackColumns {
  private var attach = NumberModel()
  private var newNodeCount = NumberModel()
  private var isSameSpace = AdaptiveBit()
  private var space = ByteModel()
  private var root = NumberModel()
  // One of each for every outcome of the last three foretellings.
  private var isNewest = InlineArray<8, AdaptiveBit>(repeating: AdaptiveBit())
  private var isOlder = InlineArray<8, AdaptiveBit>(repeating: AdaptiveBit())
  private var isKnown = InlineArray<8, AdaptiveBit>(repeating: AdaptiveBit())
  private var isNearSibling = InlineArray<8, AdaptiveBit>(repeating: AdaptiveBit())
  private var isNearParent = InlineArray<8, AdaptiveBit>(repeating: AdaptiveBit())
  private var known = NumberModel()
  private var nearSibling = NumberModel()
  private var nearParent = NumberModel()
  private var inRegion = NumberModel()
  private var regionRank = ByteModel()
  private var newRegion = NumberModel()
  private var isSameExtra = AdaptiveBit()
  private var extra = NumberModel()

  private var table: ValueTable
  /// The slots of distinct addresses in the order they came.
  private var dictionary: [Int32] = []
  private var extras: [UInt64: UInt64] = [:]
  /// The last address in each region used of late.
  private var regions = RecentRegions()
  private var currentSpace = StackNode.Space.user
  private var lastRoot: UInt64 = 0
  private var lastExtra: UInt64 = 0
  private var misses = 0
  /// Of the value coded last; after a root, of what stands for it.
  private var lastSlot = 0
  private var isBelowRoot = true

  /// Addresses this close to another callee of the same caller are coded by the difference.
  private static let siblingReach: UInt64 = 1 << 14
  private static let parentReach: UInt64 = 1 << 26
  /// Keys of what is no address: below a root, and below a node that is not in the batch.
  private static let belowRoot: UInt64 = 1 << 62
  private static let belowOldNode: UInt64 = 1 << 63

  init(nodeCount: Int) { table = ValueTable(expected: nodeCount / 2) }

  /// Codes how `stack` hangs on the trie, whose next node is `next`.
  mutating func code(
    _ stack: StackBatch.NewStack, next: UInt64, _ coder: inout some BinaryCoder
  ) -> (attach: UInt64, newNodeCount: UInt64) {
    let handle = UInt64(stack.attach.rawValue)
    let distance = attach.code(handle == 0 ? 0 : next &- handle, &coder)
    return (distance == 0 ? 0 : next &- distance, newNodeCount.code(UInt64(stack.newNodeCount), &coder))
  }

  /// What a node hangs on.
  enum Parent {
    case none
    /// The node coded last.
    case last
    case node(StackBatch.NewNode)
    /// One that is not in the batch.
    case old(UInt64)
  }

  mutating func code(
    _ node: StackBatch.NewNode, below parent: Parent, _ coder: inout some BinaryCoder
  ) -> StackBatch.NewNode {
    let expected: StackNode.Space
    if case .none = parent { expected = .root } else { expected = currentSpace }
    var result = node
    if !coder.code(node.space != expected, &isSameSpace) {
      result.space = expected
    } else {
      result.space = StackNode.Space(space.code(node.space.rawValue, &coder))
    }
    if result.space == .root {
      result.value = root.codeDifference(node.value, from: lastRoot, &coder)
      lastRoot = result.value
      result.extra = 0
      misses = 0
      lastSlot = table.slot(of: Self.belowRoot)
      isBelowRoot = true
      return result
    }
    currentSpace = result.space
    result.value = codeAddress(node.value, below: parent, &coder)
    result.extra = 0
    if result.space >= .firstInterpreter {
      let before = extras[result.value]
      if coder.code(node.extra != before ?? lastExtra, &isSameExtra) {
        result.extra = extra.codeDifference(node.extra, from: before ?? lastExtra, &coder)
      } else {
        result.extra = before ?? lastExtra
      }
      extras[result.value] = result.extra
      lastExtra = result.extra
    }
    return result
  }

  @inline(__always)
  private mutating func codeAddress(
    _ value: UInt64, below parent: Parent, _ coder: inout some BinaryCoder
  ) -> UInt64 {
    let slot: Int
    let hasCaller: Bool
    switch parent {
    case .last:
      slot = lastSlot
      hasCaller = !isBelowRoot
    case .node(let node) where node.space != .root:
      slot = table.slot(of: node.value)
      hasCaller = true
    case .none, .node:
      slot = table.slot(of: Self.belowRoot)
      hasCaller = false
    case .old(let handle):
      slot = table.slot(of: Self.belowOldNode | handle)
      hasCaller = false
    }
    let context = misses & 7
    isBelowRoot = false
    let entry = table.entries[slot]
    if entry.followers > 0 {
      let newest = table.entries[Int(entry.newest)].key
      if !coder.code(value != newest, &isNewest[context]) {
        misses = misses &<< 1
        lastSlot = Int(entry.newest)
        return newest
      }
    }
    if entry.followers > 1 {
      let older = table.entries[Int(entry.older)].key
      if !coder.code(value != older, &isOlder[context]) {
        misses = misses &<< 1
        lastSlot = Int(entry.older)
        table.follow(slot, lastSlot)
        return older
      }
    }
    misses = misses &<< 1 | 1
    lastSlot = codeUnforetold(value, slot: slot, hasCaller: hasCaller, context: context, &coder)
    table.follow(slot, lastSlot)
    return table.entries[lastSlot].key
  }

  /// - Returns: the slot of the value.
  private mutating func codeUnforetold(
    _ value: UInt64, slot: Int, hasCaller: Bool, context: Int, _ coder: inout some BinaryCoder
  ) -> Int {
    // A decoder does not know the value yet; what it looks up here in vain changes nothing.
    let wanted = table.slot(of: value)
    let number = Int(table.entries[wanted].number)
    if !coder.code(number < 0, &isKnown[context]) {
      let back = known.code(UInt64(truncatingIfNeeded: dictionary.count &- 1 &- number), &coder)
      // A damaged distance that goes past the beginning means the first.
      guard let last = dictionary.indices.last else { return wanted }
      return Int(dictionary[back <= UInt64(last) ? last &- Int(back) : 0])
    }
    let caller = hasCaller ? table.entries[slot].key : nil
    let found = codeNew(value, slot: slot, caller: caller, context: context, &coder)
    let own = found == value ? wanted : table.slot(of: found)
    if table.entries[own].number < 0 {
      table.number(own, dictionary.count)
      dictionary.append(Int32(truncatingIfNeeded: own))
    }
    regions.note(found)
    return own
  }

  /// An address that the batch has not had.
  private mutating func codeNew(
    _ value: UInt64, slot: Int, caller: UInt64?, context: Int, _ coder: inout some BinaryCoder
  ) -> UInt64 {
    if table.entries[slot].followers > 0 {
      let sibling = table.entries[Int(table.entries[slot].newest)].key
      if !coder.code(!Self.isWithin(Self.siblingReach, value, sibling), &isNearSibling[context]) {
        return nearSibling.codeDifference(value, from: sibling, &coder)
      }
    }
    if let caller, !coder.code(!Self.isWithin(Self.parentReach, value, caller), &isNearParent[context]) {
      return nearParent.codeDifference(value, from: caller, &coder)
    }
    let rank = regionRank.code(UInt8(truncatingIfNeeded: regions.rank(of: value)), &coder)
    if let near = regions.use(Int(rank)) { return inRegion.codeDifference(value, from: near, &coder) }
    let region = newRegion.codeDifference(value &>> RecentRegions.bits, from: regions.last, &coder)
    let low = coder.codeRaw(value & (1 &<< RecentRegions.bits &- 1), count: Int(RecentRegions.bits))
    let found = region &<< RecentRegions.bits | low
    regions.add(found)
    return found
  }

  private static func isWithin(_ reach: UInt64, _ value: UInt64, _ base: UInt64) -> Bool {
    value &- base &+ reach < 2 &* reach
  }
}
