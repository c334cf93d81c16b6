public import Base

/// One frame below one caller.
public struct StackNode: Hashable, Sendable {
  /// What `value` counts in. From 16 on, an interpreter's frame, whose `extra` its unwinder defines.
  public struct Space: Hashable, Comparable, Sendable {
    public let rawValue: UInt8
    public init(_ rawValue: UInt8) { self.rawValue = rawValue }
    public static func < (lhs: Self, rhs: Self) -> Bool { lhs.rawValue < rhs.rawValue }
    /// The first node of every stack of an address space; `value` is the space's handle.
    public static let root = Space(0)
    /// A code address of the process. The first frame of a sample is an instruction, the others return addresses.
    public static let user = Space(1)
    /// A code address of the kernel.
    public static let kernel = Space(2)
    /// The first value that carries `extra`.
    public static let firstInterpreter = Space(16)
  }
  /// The caller's frame; 0 only for a root.
  public var parent: NodeHandle
  public var space: Space
  public var value: UInt64
  /// 0 below `Space.firstInterpreter`.
  public var extra: UInt64
  public init(parent: NodeHandle, space: Space, value: UInt64, extra: UInt64 = 0) {
    self.parent = parent
    self.space = space
    self.value = value
    self.extra = extra
  }
}

/// Stacks not written before, as new branches of the trie of frames.
///
/// User and kernel frames are two stacks, because one kernel path serves many callers. A stack's root is a node of
/// `Space.root` that names its address space.
public struct StackBatch: Hashable, Sendable {
  /// The handle of the first stack; the others count on from it.
  public var firstStack: StackHandle
  /// The handle of the first new node; the others count on from it.
  public var firstNode: NodeHandle
  public var stacks: [NewStack]
  /// Outermost first, in the order of the stacks they belong to. The `parent` of a stack's first new node is its
  /// `attach`, of every further one the node before it.
  public var nodes: [NewNode]

  public struct NewStack: Hashable, Sendable {
    /// The deepest frame that was known before; 0 when the first new node is a root.
    public var attach: NodeHandle
    /// 0 when the stack ends at `attach`.
    public var newNodeCount: UInt32
    public init(attach: NodeHandle, newNodeCount: UInt32) {
      self.attach = attach
      self.newNodeCount = newNodeCount
    }
  }
  public struct NewNode: Hashable, Sendable {
    public var space: StackNode.Space
    public var value: UInt64
    public var extra: UInt64
    public init(space: StackNode.Space, value: UInt64, extra: UInt64 = 0) {
      self.space = space
      self.value = value
      self.extra = extra
    }
  }
  public init(firstStack: StackHandle, firstNode: NodeHandle, stacks: [NewStack] = [], nodes: [NewNode] = []) {
    self.firstStack = firstStack
    self.firstNode = firstNode
    self.stacks = stacks
    self.nodes = nodes
  }
}

extension StackBatch: SegmentRecord {
  public static let kind = RecordKind.stacks

  public func encode(into writer: inout ByteWriter) {
    writer.handle(firstStack)
    writer.handle(firstNode)
    writer.number(UInt64(stacks.count))
    writer.number(UInt64(nodes.count))
    var coder = RangeEncoder(capacity: nodes.count * 3)
    _ = code(&coder)
    writer.lengthPrefixed(coder.finish())
  }

  /// Passes every field of the batch to `coder`, and gives back the batch that comes out: the same one when it encodes.
  ///
  /// `nil` when the stacks want more nodes than there are, or fewer: only a damaged batch does.
  private func code(_ coder: inout some BinaryCoder) -> Self? {
    var result = Self(firstStack: firstStack, firstNode: firstNode)
    result.stacks.reserveCapacity(stacks.count)
    result.nodes.reserveCapacity(nodes.count)
    var columns = StackColumns(nodeCount: nodes.count)
    for stack in stacks where !coder.isOverrun {
      let next = UInt64(firstNode.rawValue) &+ UInt64(result.nodes.count)
      let (attach, count) = columns.code(stack, next: next, &coder)
      guard count <= UInt64(nodes.count - result.nodes.count) else { return nil }
      // One that lies outside the trie is left for the replay to find missing.
      result.stacks.append(NewStack(attach: NodeHandle(UInt32(clamping: attach)), newNodeCount: UInt32(count)))
      var parent = StackColumns.Parent.none
      if attach >= UInt64(firstNode.rawValue), attach < next {
        parent = .node(result.nodes[Int(attach &- UInt64(firstNode.rawValue))])
      } else if attach != 0 {
        parent = .old(attach)
      }
      for _ in 0..<count where !coder.isOverrun {
        let node = columns.code(nodes[result.nodes.count], below: parent, &coder)
        result.nodes.append(node)
        parent = .last
      }
    }
    return result.nodes.count == nodes.count ? result : nil
  }

  public init(from cursor: inout ByteCursor) throws(MalformedInput) {
    firstStack = try cursor.handle("stacks.first_stack")
    firstNode = try cursor.handle("stacks.first_node")
    let start = cursor.offset
    let stackCount = try cursor.uleb128("stacks.stack_count")
    let nodeCount = try cursor.uleb128("stacks.node_count")
    guard stackCount <= UInt64(Limits.nodesPerFrame), nodeCount <= UInt64(Limits.nodesPerFrame) else {
      throw ByteCursor.over("stacks.count", start, max(stackCount, nodeCount), Limits.nodesPerFrame)
    }
    // As many as there will be, for the decoder to put its own in their place.
    stacks = [NewStack](repeating: NewStack(attach: NodeHandle(0), newNodeCount: 0), count: Int(stackCount))
    nodes = [NewNode](repeating: NewNode(space: .root, value: 0), count: Int(nodeCount))
    let length = try cursor.uleb128("stacks.columns")
    var coder = RangeDecoder(try cursor.take(length, "stacks.columns").copied())
    guard let read = code(&coder), !coder.isOverrun, coder.isAtEnd else {
      throw MalformedInput(
        field: "stacks.columns", offset: FileOffset(UInt64(start)),
        problem: .inconsistent("does not hold \(stackCount) stacks and \(nodeCount) nodes"))
    }
    self = read
  }

  /// The larger of the counts of stacks and nodes the batch at `cursor` says it has: known before any of them is read.
  static func announcedCount(_ cursor: ByteCursor) throws(MalformedInput) -> UInt64 {
    var cursor = cursor
    _ = try cursor.uleb128("stacks.first_stack")
    _ = try cursor.uleb128("stacks.first_node")
    return max(try cursor.uleb128("stacks.stack_count"), try cursor.uleb128("stacks.node_count"))
  }

  public func halves() -> (Self, Self)? {
    guard stacks.count > 1 else { return nil }
    let middle = stacks.count / 2
    let nodesBefore = stacks[..<middle].reduce(0) { $0 + Int($1.newNodeCount) }
    guard nodesBefore <= nodes.count else { return nil }
    return (
      Self(
        firstStack: firstStack, firstNode: firstNode, stacks: Array(stacks[..<middle]),
        nodes: Array(nodes[..<nodesBefore])),
      Self(
        firstStack: StackHandle(firstStack.rawValue &+ UInt32(middle)),
        firstNode: NodeHandle(firstNode.rawValue &+ UInt32(nodesBefore)), stacks: Array(stacks[middle...]),
        nodes: Array(nodes[nodesBefore...]))
    )
  }
}
