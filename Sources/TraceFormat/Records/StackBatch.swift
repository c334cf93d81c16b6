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
    // How far back from the node that comes next: what was added last is branched from most.
    var next = UInt64(firstNode.rawValue)
    var attaches: [UInt64] = []
    attaches.reserveCapacity(stacks.count)
    for stack in stacks {
      attaches.append(stack.attach.rawValue == 0 ? 0 : next &- UInt64(stack.attach.rawValue))
      next &+= UInt64(stack.newNodeCount)
    }
    ColumnCodec.encode(attaches, trying: [.plain], into: &writer)
    ColumnCodec.encode(stacks.map { UInt64($0.newNodeCount) }, trying: [.plain], into: &writer)
    ColumnCodec.encode(nodes.map { UInt64($0.space.rawValue) }, trying: [.plain], into: &writer)
    ColumnCodec.encode(nodes.map(\.value), trying: [.plain, .delta], into: &writer)
    let extras = nodes.filter { $0.space >= .firstInterpreter }.map(\.extra)
    ColumnCodec.encode(extras, trying: [.plain, .delta], into: &writer)
  }

  public init(from cursor: inout ByteCursor) throws(MalformedInput) {
    firstStack = try cursor.handle("stacks.first_stack")
    firstNode = try cursor.handle("stacks.first_node")
    stacks = []
    nodes = []
    let start = cursor.offset
    let stackCount = try cursor.uleb128("stacks.stack_count")
    let nodeCount = try cursor.uleb128("stacks.node_count")
    guard stackCount <= UInt64(Limits.nodesPerFrame), nodeCount <= UInt64(Limits.nodesPerFrame) else {
      throw ByteCursor.over("stacks.count", start, max(stackCount, nodeCount), Limits.nodesPerFrame)
    }
    let attaches = try ColumnCodec.decode(Int(stackCount), "stacks.attach", from: &cursor)
    let counts = try ColumnCodec.decode(Int(stackCount), "stacks.new_node_count", from: &cursor)
    let spaces = try ColumnCodec.decode(Int(nodeCount), "stacks.space", from: &cursor)
    let values = try ColumnCodec.decode(Int(nodeCount), "stacks.value", from: &cursor)
    let interpreted = spaces.count { $0 >= UInt64(StackNode.Space.firstInterpreter.rawValue) }
    let extras = try ColumnCodec.decode(interpreted, "stacks.extra", from: &cursor)
    stacks.reserveCapacity(attaches.count)
    var next = UInt64(firstNode.rawValue)
    var covered: UInt64 = 0
    for (attach, count) in zip(attaches, counts) {
      guard count <= nodeCount - covered else {
        throw ByteCursor.over("stacks.new_node_count", cursor.offset, count, Int(nodeCount - covered))
      }
      // One that lies outside the trie is left for the replay to find missing.
      stacks.append(
        NewStack(
          attach: NodeHandle(attach == 0 ? 0 : UInt32(clamping: next &- attach)), newNodeCount: UInt32(count)))
      next &+= count
      covered += count
    }
    guard covered == nodeCount else {
      throw MalformedInput(
        field: "stacks.new_node_count", offset: FileOffset(UInt64(cursor.offset)),
        problem: .inconsistent("covers \(covered) of \(nodeCount) nodes"))
    }
    nodes.reserveCapacity(spaces.count)
    var extra = 0
    for (space, value) in zip(spaces, values) {
      guard let space = UInt8(exactly: space).map(StackNode.Space.init) else {
        throw ByteCursor.over("stacks.space", cursor.offset, space, 255)
      }
      if space >= .firstInterpreter {
        nodes.append(NewNode(space: space, value: value, extra: extras[extra]))
        extra += 1
      } else {
        nodes.append(NewNode(space: space, value: value))
      }
    }
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
