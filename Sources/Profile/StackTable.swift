/// A stack of a profile: its innermost node in the `StackTable`.
package struct ProfileStack: Hashable, Sendable {
  package let rawValue: UInt32
  @inlinable package init(_ rawValue: UInt32) { self.rawValue = rawValue }
  /// The stack without frames.
  package static let empty = ProfileStack(0)
  @inlinable package var index: Int { Int(rawValue) }
}

/// The stacks of a profile as a tree: each node is a location called from the stack above it, so that much of what
/// stacks share is there once. It may be there again: to look for each node takes longer than to write it. A node comes
/// after its caller.
package struct StackTable: Sendable {
  struct Node: Sendable {
    var caller: ProfileStack
    var location: LocationHandle
  }
  /// Node 0 is the stack without frames; its own fields mean nothing.
  private(set) var nodes = [Node(caller: .empty, location: LocationHandle(0))]

  /// The stack that `location` makes when called from `caller`, as a new node.
  mutating func add(_ location: LocationHandle, calledFrom caller: ProfileStack) -> ProfileStack {
    // At most 2^32 nodes: more would not fit in memory.
    let stack = ProfileStack(UInt32(nodes.count))
    nodes.append(Node(caller: caller, location: location))
    return stack
  }

  /// Whether `one` and `other`, a stack of the table `others`, have the same locations.
  func isSame(_ one: ProfileStack, _ other: ProfileStack, of others: StackTable) -> Bool {
    var one = one
    var other = other
    while one != .empty, other != .empty {
      let (node, otherNode) = (nodes[one.index], others.nodes[other.index])
      guard node.location == otherNode.location else { return false }
      one = node.caller
      other = otherNode.caller
    }
    return one == other
  }

  /// As the other, for two stacks of this table, which end where they become one.
  func isSame(_ one: ProfileStack, _ other: ProfileStack) -> Bool {
    var one = one
    var other = other
    while one != other {
      guard one != .empty, other != .empty else { return false }
      let (node, otherNode) = (nodes[one.index], nodes[other.index])
      guard node.location == otherNode.location else { return false }
      one = node.caller
      other = otherNode.caller
    }
    return true
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

/// Adds stacks to a `StackTable`, the frames that a stack shares with the one before it only once.
struct StackPath: Sendable {
  /// The nodes of the stack that was added last, from its root.
  private var path: [ProfileStack] = []

  /// - Parameter locations: leaf first.
  mutating func add(_ locations: Span<LocationHandle>, to table: inout StackTable) -> ProfileStack {
    var depth = 0
    while depth < path.count, depth < locations.count,
      table.nodes[path[depth].index].location == locations[locations.count - 1 - depth]
    { depth += 1 }
    path.removeLast(path.count - depth)
    var stack = path.last ?? .empty
    while depth < locations.count {
      stack = table.add(locations[locations.count - 1 - depth], calledFrom: stack)
      path.append(stack)
      depth += 1
    }
    return stack
  }
}
