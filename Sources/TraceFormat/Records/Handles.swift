/// A number that one trace gives to one thing; `Thing` keeps the kinds from being mixed.
///
/// Numbers are dense and given in the order of first appearance, except that a writer may leave some out.
@frozen public struct Handle<Thing>: Hashable, Comparable, Sendable {
  public let rawValue: UInt32
  @inlinable public init(_ rawValue: UInt32) { self.rawValue = rawValue }
  @inlinable public static func < (lhs: Self, rhs: Self) -> Bool { lhs.rawValue < rhs.rawValue }
}

extension Handle: CustomStringConvertible { public var description: String { String(rawValue) } }

/// One program run by one process: a process gets a new handle at each `exec`.
public typealias ProcessHandle = Handle<ProcessRecord>
/// One thread under one name inside one `ProcessHandle`.
public typealias ThreadHandle = Handle<ThreadRecord>
/// One set of mappings that do not overlap. 0 is the kernel's.
public typealias AddressSpaceHandle = Handle<AddressSpaceRecord>
/// One mapped file (or vDSO). 0 is the kernel itself.
public typealias ImageHandle = Handle<ImageRecord>
/// One distinct chain of frames. 0 is the empty one.
public typealias StackHandle = Handle<StackBatch>
/// One frame below one caller: a node of the trie that holds all stacks. 0 is no node.
public typealias NodeHandle = Handle<StackNode>
/// One piece of code that an interpreter ran. 0 is none.
public typealias CodeHandle = Handle<CodeRecord>
/// One kind of event that samples are taken on.
public typealias EventHandle = Handle<EventRecord>

extension AddressSpaceHandle {
  public static var kernel: Self { Self(0) }
}
extension ImageHandle {
  public static var kernel: Self { Self(0) }
}
extension StackHandle {
  public static var empty: Self { Self(0) }
}
