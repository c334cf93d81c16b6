import Base
import Interpreters
import TraceFormat

/// The trie of all frames seen, so that a stack is written once and a sample names it by number.
///
/// Its memory is taken once and does not grow. When it is full it forgets everything and goes on with higher
/// numbers: stacks that come again are written again, which costs bytes and loses nothing.
struct StackTable: ~Copyable {
  /// Frames remembered. Power of two.
  static let maximumNodes = 1 << 18
  /// Stacks remembered. Power of two.
  static let maximumStacks = 1 << 17

  struct Node: BitwiseCopyable {
    var value: UInt64
    /// Of the caller, plus one; 0 for a root.
    var parent: UInt32
    /// Of the next node of the same bucket, plus one.
    var next: UInt32
  }
  /// A node that was added right after its parent lies beside it and is found there: the tail of a new stack, which is
  /// most nodes, is read and written in a row. Only the others are in `nodeBuckets`.
  private var nodes = ZeroedTable<Node>(count: maximumNodes)
  private var nodeCount = 0
  /// By hash of parent and value: index of a bucket's first node plus one, 0 for none.
  private var nodeBuckets = ZeroedTable<UInt32>(count: maximumNodes)

  /// Stacks are known by two hashes, of 64 and of 32 bits: reading their frames again to compare them would cost more
  /// than all the rest, and that two of them ever share both is less likely than that the memory fails.
  struct Stack: BitwiseCopyable {
    var hash: UInt64
    var check: UInt32
    /// Of the stack plus one, 0 for a free slot.
    var number: UInt32
  }
  /// Open addressing on the hash.
  private var stacks = ZeroedTable<Stack>(count: maximumStacks * 2)
  private var stackCount = 0

  /// The path of the stack inserted last in each of a few address spaces, outermost frame first: the next one mostly
  /// shares its outer half, which then need not be looked up frame by frame.
  private static let recentSlots = 8
  private static let recentDepth = 256
  struct Recent: BitwiseCopyable {
    var value: UInt64
    var node: UInt32
  }
  private var recents = ZeroedTable<Recent>(count: recentSlots * recentDepth)
  private var recentCounts = [Int](repeating: 0, count: recentSlots)
  private var recentSpaces = [UInt32](repeating: .max, count: recentSlots)

  /// The handle of the node with index 0; 0 itself is no node.
  private var nodeBase: UInt32 = 1
  private var stackBase: UInt32 = 1
  /// What is new since the last `takeBatch`.
  private var batch: StackBatch

  /// New frames since the last `forgetNewFrames`, for whoever copies images and looks up kernel symbols.
  private(set) var newFrames: [(addressSpace: UInt32, address: UInt64)] = []

  init() { batch = StackBatch(firstStack: StackHandle(1), firstNode: NodeHandle(1)) }

  /// The handle of the stack whose frames are `words` (64-bit addresses and `InterpreterWord`s, innermost first) in `addressSpace`.
  /// Empty for no words.
  mutating func intern(_ words: RawSpan, addressSpace: AddressSpaceHandle) -> StackHandle {
    let count = words.byteCount / 8
    guard count > 0 else { return .empty }
    var hash = (UInt64(addressSpace.rawValue) &+ 1) &* 0x9e37_79b9_7f4a_7c15
    var other = hash
    for index in 0..<count {
      let word = Self.word(words, index)
      hash = (hash ^ word) &* 0xff51_afd7_ed55_8ccd
      hash ^= hash &>> 29
      other = (other &+ word) &* 0xc4ce_b9fe_1a85_ec53
      other ^= other &>> 31
    }
    let check = UInt32(truncatingIfNeeded: other &>> 16)
    let mask = Self.maximumStacks * 2 - 1
    var slot = Int(truncatingIfNeeded: hash &>> 20) & mask
    while true {
      let found = stacks[slot]
      if found.number == 0 { break }
      if found.hash == hash, found.check == check { return StackHandle(stackBase &+ found.number &- 1) }
      slot = (slot + 1) & mask
    }
    // Room for the worst case, so that one stack never straddles two generations.
    if stackCount >= Self.maximumStacks * 7 / 8 || nodeCount + count + 1 >= Self.maximumNodes * 7 / 8 {
      forget()
      slot = Int(truncatingIfNeeded: hash &>> 20) & mask
    }
    insert(words, count: count, addressSpace)
    stackCount += 1
    stacks[slot] = Stack(hash: hash, check: check, number: UInt32(stackCount))
    return StackHandle(stackBase &+ UInt32(stackCount) &- 1)
  }

  /// What was interned for the first time since the last call.
  mutating func takeBatch() -> StackBatch {
    defer {
      batch = StackBatch(
        firstStack: StackHandle(stackBase &+ UInt32(stackCount)), firstNode: NodeHandle(nodeBase &+ UInt32(nodeCount)))
    }
    return batch
  }

  var hasNew: Bool { !batch.stacks.isEmpty }
  /// Bytes that the waiting batch will take at most, so that a frame never outgrows its limit.
  var pendingNodeCount: Int { batch.nodes.count }

  mutating func forgetNewFrames() { newFrames.removeAll(keepingCapacity: true) }

  private static func word(_ words: RawSpan, _ index: Int) -> UInt64 {
    // Safe: callers pass an index below `byteCount / 8`.
    UInt64(littleEndian: unsafe words.unsafeLoadUnaligned(fromUncheckedByteOffset: index &* 8, as: UInt64.self))
  }

  private mutating func insert(_ words: RawSpan, count: Int, _ space: AddressSpaceHandle) {
    var parent: UInt32 = 0
    var index = count  // the root first, then the outermost frame
    var value = UInt64(space.rawValue)
    let slot = Int(space.rawValue) & (Self.recentSlots - 1)
    let base = slot * Self.recentDepth
    if recentSpaces[slot] == space.rawValue {
      // The root is the same; frames as long as they are.
      let known = recentCounts[slot]
      var depth = 0
      while depth < known, index >= 0 {
        let recent = recents[base &+ depth]
        guard recent.value == value else { break }
        parent = recent.node
        depth &+= 1
        index &-= 1
        if index >= 0 { value = Self.word(words, index) }
      }
    }
    while index >= 0, let child = find(parent: parent, value: value) {
      remember(value, child, depth: count - index, slot)
      parent = child
      index -= 1
      if index < 0 { break }
      value = Self.word(words, index)
    }
    batch.stacks.append(
      StackBatch.NewStack(
        attach: NodeHandle(parent == 0 ? 0 : nodeBase &+ parent &- 1), newNodeCount: UInt32(index + 1)))
    let kind: StackNode.Space = space == .kernel ? .kernel : .user
    while index >= 0 {
      let isRoot = index == count
      if let frame = InterpreterWord.parse(value), !isRoot, kind == .user {
        batch.nodes.append(
          StackBatch.NewNode(space: frame.space, value: UInt64(frame.place.code), extra: UInt64(frame.place.instruction)))
      } else {
        batch.nodes.append(StackBatch.NewNode(space: isRoot ? .root : kind, value: value))
        if !isRoot { newFrames.append((space.rawValue, value)) }
      }
      parent = add(parent: parent, value: value)
      remember(value, parent, depth: count - index, slot)
      index -= 1
      if index >= 0 { value = Self.word(words, index) }
    }
    recentSpaces[slot] = space.rawValue
    recentCounts[slot] = min(count + 1, Self.recentDepth)
  }

  private mutating func remember(_ value: UInt64, _ node: UInt32, depth: Int, _ slot: Int) {
    guard depth < Self.recentDepth else { return }
    recents[slot &* Self.recentDepth &+ depth] = Recent(value: value, node: node)
  }

  private static func bucket(parent: UInt32, value: UInt64) -> Int {
    var hash = (value ^ (UInt64(parent) &* 0x9e37_79b9_7f4a_7c15)) &* 0xff51_afd7_ed55_8ccd
    hash ^= hash &>> 32
    return Int(truncatingIfNeeded: hash) & (maximumNodes - 1)
  }

  @inline(__always)
  private func find(parent: UInt32, value: UInt64) -> UInt32? {
    // The number of a node is its index plus one, so this is the index of the one behind the parent.
    let beside = Int(parent)
    if beside < nodeCount {
      let node = nodes[beside]
      if node.value == value, node.parent == parent { return parent &+ 1 }
    }
    var next = nodeBuckets[Self.bucket(parent: parent, value: value)]
    while next != 0 {
      let node = nodes[Int(next) - 1]
      if node.value == value, node.parent == parent { return next }
      next = node.next
    }
    return nil
  }

  private mutating func add(parent: UInt32, value: UInt64) -> UInt32 {
    let number = UInt32(truncatingIfNeeded: nodeCount) &+ 1
    var next: UInt32 = 0
    if parent &+ 1 != number {
      let bucket = Self.bucket(parent: parent, value: value)
      next = nodeBuckets[bucket]
      nodeBuckets[bucket] = number
    }
    nodes[nodeCount] = Node(value: value, parent: parent, next: next)
    nodeCount &+= 1
    return number
  }

  private mutating func forget() {
    nodeBase &+= UInt32(nodeCount)
    stackBase &+= UInt32(stackCount)
    nodeCount = 0
    stackCount = 0
    for slot in recentSpaces.indices { recentSpaces[slot] = .max }
    nodeBuckets.clear()
    stacks.clear()
  }
}
