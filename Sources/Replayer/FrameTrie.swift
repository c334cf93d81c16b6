import Base
import Interpreters
import TraceFormat

/// Every distinct stack of a trace, as the trie of frames it was written in.
///
/// Handles index flat arrays. A frame of the file that is lost leaves a gap, whose stacks are known to be missing.
package struct FrameTrie: Sendable {
  /// Nodes and stacks of one trace: two days of a busy machine.
  static let maximumNodes = 1 << 28
  static let maximumStacks = 1 << 27
  /// What lost parts of a file may leave open in all, so that a lying number reserves no memory to speak of.
  static let maximumGap = 1 << 24

  static let missing = UInt32.max

  private(set) var parents: [UInt32] = [0]
  /// Of an interpreter's frame an `InterpreterPlace`, packed.
  private(set) var values: [UInt64] = [0]
  private(set) var kinds: [UInt8] = [0]
  /// The address space of each node's root; `missing` when a part of the way up is lost.
  private(set) var spaces: [UInt32] = [Self.missing]
  /// The innermost node of each stack; 0 for none, `missing` for a lost one.
  private(set) var leaves: [UInt32] = [0]
  private var gap = 0

  /// Stacks that are known, the empty one not counted.
  private(set) package var stackCount = 0

  init() {}

  /// - Returns: whether the batch goes with what came before.
  mutating func add(_ batch: StackBatch) -> Bool {
    let firstNode = Int(batch.firstNode.rawValue)
    let firstStack = Int(batch.firstStack.rawValue)
    guard firstNode >= parents.count, firstStack >= leaves.count else { return false }
    let nodeGap = firstNode - parents.count
    let stackGap = firstStack - leaves.count
    gap += nodeGap + stackGap
    guard gap <= Self.maximumGap, firstNode + batch.nodes.count <= Self.maximumNodes,
      firstStack + batch.stacks.count <= Self.maximumStacks
    else { return false }
    for _ in 0..<nodeGap { append(parent: Self.missing, value: 0, kind: 0, space: Self.missing) }
    leaves.append(contentsOf: repeatElement(Self.missing, count: stackGap))
    var next = 0
    for stack in batch.stacks {
      var parent = stack.attach.rawValue
      var isKnown = parent == 0 || (Int(parent) < parents.count && parents[Int(parent)] != Self.missing)
      guard next + Int(stack.newNodeCount) <= batch.nodes.count else { return false }
      for _ in 0..<stack.newNodeCount {
        let node = batch.nodes[next]
        next += 1
        var space = Self.missing
        if node.space == .root {
          space = UInt32(truncatingIfNeeded: node.value)
        } else if isKnown, parent != 0 {
          space = spaces[Int(parent)]
        }
        var value = node.value
        if node.space >= .firstInterpreter {
          // Numbers that no recorder gives stand for none.
          let place = InterpreterPlace(code: UInt32(clamping: value), instruction: UInt32(clamping: node.extra))
          value = value <= InterpreterPlace.mask && node.extra <= InterpreterPlace.mask ? place.packed : 0
        }
        append(parent: isKnown ? parent : Self.missing, value: value, kind: node.space.rawValue, space: space)
        parent = UInt32(parents.count - 1)
        isKnown = isKnown && space != Self.missing
      }
      leaves.append(isKnown ? parent : Self.missing)
      if isKnown { stackCount += 1 }
    }
    return true
  }

  private mutating func append(parent: UInt32, value: UInt64, kind: UInt8, space: UInt32) {
    parents.append(parent)
    values.append(value)
    kinds.append(kind)
    spaces.append(space)
  }

  /// Lets go of the frames when they have been turned into locations; which stacks there are stays known.
  mutating func forgetFrames() {
    parents = []
    values = []
    kinds = []
    spaces = []
  }

  /// The code addresses of a user stack, innermost first; `nil` when a part of it is lost.
  func userFrames(of stack: StackHandle) -> [UInt64]? {
    guard var node = leaf(of: stack) else { return nil }
    var frames: [UInt64] = []
    while node != 0, node != Self.missing, frames.count < Limits.stackDepth {
      if kinds[Int(node)] == StackNode.Space.user.rawValue { frames.append(values[Int(node)]) }
      node = parents[Int(node)]
    }
    return frames
  }

  /// Adds a user stack that no record holds.
  /// - Parameter frames: innermost first.
  mutating func add(_ frames: [UInt64], in space: AddressSpaceHandle) -> StackHandle? {
    let nodes =
      [StackBatch.NewNode(space: .root, value: UInt64(space.rawValue))]
      + frames.reversed().map { StackBatch.NewNode(space: .user, value: $0) }
    let handle = StackHandle(UInt32(leaves.count))
    let batch = StackBatch(
      firstStack: handle, firstNode: NodeHandle(UInt32(parents.count)),
      stacks: [StackBatch.NewStack(attach: NodeHandle(0), newNodeCount: UInt32(nodes.count))], nodes: nodes)
    return add(batch) ? handle : nil
  }

  /// Adds a stack with the frames of another in another address space.
  mutating func add(_ stack: StackHandle, in space: AddressSpaceHandle) -> StackHandle? {
    guard let leaf = leaf(of: stack), leaf != 0, leaves.count < Self.maximumStacks else { return nil }
    var path: [UInt32] = []
    var node = leaf
    while node != 0 {
      path.append(node)
      // Parents come before their children, or the way up is none.
      guard parents[Int(node)] < node, path.count <= Limits.stackDepth + 1 else { return nil }
      node = parents[Int(node)]
    }
    guard parents.count + path.count <= Self.maximumNodes else { return nil }
    var parent: UInt32 = 0
    for node in path.reversed() {
      let isRoot = kinds[Int(node)] == StackNode.Space.root.rawValue
      append(
        parent: parent, value: isRoot ? UInt64(space.rawValue) : values[Int(node)], kind: kinds[Int(node)], space: space.rawValue)
      parent = UInt32(parents.count - 1)
    }
    leaves.append(parent)
    stackCount += 1
    return StackHandle(UInt32(leaves.count - 1))
  }

  /// The innermost node of `stack`: 0 for the empty one, `nil` for one that is not in the trace (any more).
  func leaf(of stack: StackHandle) -> UInt32? {
    let index = Int(stack.rawValue)
    guard index < leaves.count, leaves[index] != Self.missing else { return nil }
    return leaves[index]
  }
}
