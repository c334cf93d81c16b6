/// One frame below one caller.
public struct StackNode: Hashable, Sendable {
  /// What `value` counts in. From 16 on, an interpreter's frame, whose `extra` its unwinder defines.
  public struct Space: Hashable, Sendable {
    public let rawValue: UInt8
    public init(_ rawValue: UInt8) { self.rawValue = rawValue }
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
