import Base

/// A stack of a profile: its innermost node in the `StackTable`.
package struct ProfileStack: Hashable, Sendable {
  package let rawValue: UInt32
  @inlinable package init(_ rawValue: UInt32) { self.rawValue = rawValue }
  /// The stack without frames.
  package static let empty = ProfileStack(0)
  @inlinable package var index: Int { Int(rawValue) }
}

/// The stacks of a profile as a tree: each node is a location called from the stack above it, so that what stacks
/// share is there once. A node comes after its caller.
package struct StackTable: Hashable, Sendable {
  struct Node: Hashable, Sendable {
    var caller: ProfileStack
    var location: LocationHandle
  }
  /// Node 0 is the stack without frames; its own fields mean nothing.
  private(set) var nodes = [Node(caller: .empty, location: LocationHandle(0))]

  fileprivate mutating func append(_ node: Node) -> ProfileStack {
    // At most 2^32 nodes: more would not fit in memory.
    let stack = ProfileStack(UInt32(nodes.count))
    nodes.append(node)
    return stack
  }

  /// By node: the sum of `size` over its stack.
  func sums(_ size: (LocationHandle) -> UInt32) -> [UInt32] {
    var sums: [UInt32] = []
    sums.reserveCapacity(nodes.count)
    sums.append(0)
    for index in nodes.indices.dropFirst() {
      sums.append(sums[nodes[index].caller.index] &+ size(nodes[index].location))
    }
    return sums
  }
}

/// The locations of one stack, leaf first.
package struct StackLocations: Sequence, IteratorProtocol, Sendable {
  private let table: StackTable
  private var rest: ProfileStack

  init(_ stack: ProfileStack, _ table: StackTable) {
    self.table = table
    rest = stack
  }

  package mutating func next() -> LocationHandle? {
    guard rest != .empty else { return nil }
    let node = table.nodes[rest.index]
    rest = node.caller
    return node.location
  }
}

/// Finds the nodes of a growing `StackTable` again, so that equal stacks are one.
struct StackIndex: Sendable {
  /// Nodes by the hash of what they hold, 0 for an empty slot. A power of two many, at most five eighths of them full:
  /// half the room of a `HashIndex`, because there are several nodes a sample.
  private var slots = [UInt32](repeating: 0, count: 64)
  private var count = 0
  /// The nodes of the stack that was asked for last, from its root: the next one often shares most of them.
  private var path: [ProfileStack] = []

  /// The stack that `location` makes when called from `caller`.
  mutating func stack(_ location: LocationHandle, calledFrom caller: ProfileStack, in table: inout StackTable) -> ProfileStack {
    let node = StackTable.Node(caller: caller, location: location)
    let mask = slots.count &- 1
    var slot = Self.slot(node) & mask
    while slots[slot] != 0 {
      if table.nodes[Int(slots[slot])] == node { return ProfileStack(slots[slot]) }
      slot = (slot &+ 1) & mask
    }
    let stack = table.append(node)
    slots[slot] = stack.rawValue
    count += 1
    if count * 8 > slots.count * 5 { grow(table) }
    return stack
  }

  /// The stack of `locations`, leaf first.
  mutating func stack(_ locations: Span<LocationHandle>, in table: inout StackTable) -> ProfileStack {
    var depth = 0
    while depth < path.count, depth < locations.count,
      table.nodes[path[depth].index].location == locations[locations.count - 1 - depth]
    { depth += 1 }
    path.removeLast(path.count - depth)
    var stack = path.last ?? .empty
    while depth < locations.count {
      stack = self.stack(locations[locations.count - 1 - depth], calledFrom: stack, in: &table)
      path.append(stack)
      depth += 1
    }
    return stack
  }

  private static func slot(_ node: StackTable.Node) -> Int {
    var hash = IntegerHash()
    hash.combine(UInt64(node.caller.rawValue) << 32 | UInt64(node.location.rawValue))
    return Int(truncatingIfNeeded: hash.value &>> 32)
  }

  private mutating func grow(_ table: StackTable) {
    let old = slots
    slots = [UInt32](repeating: 0, count: old.count * 2)
    let mask = slots.count &- 1
    for entry in old where entry != 0 {
      var slot = Self.slot(table.nodes[Int(entry)]) & mask
      while slots[slot] != 0 { slot = (slot &+ 1) & mask }
      slots[slot] = entry
    }
  }
}
