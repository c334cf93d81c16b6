import Base
import Testing
import TraceFormat

@testable import Recorder

struct StackTableTests {
  private func words(_ addresses: [UInt64]) -> [UInt8] {
    var writer = ByteWriter()
    for address in addresses { writer.write(address) }
    return writer.bytes
  }

  /// Frames of every stack of the batches, outermost first, the root's address space in front.
  private func expand(_ batches: [StackBatch]) -> [UInt32: [UInt64]] {
    var nodes: [UInt32: (parent: UInt32, value: UInt64)] = [:]
    var stacks: [UInt32: [UInt64]] = [:]
    for batch in batches {
      var next = batch.firstNode.rawValue
      var index = 0
      for (offset, stack) in batch.stacks.enumerated() {
        var parent = stack.attach.rawValue
        for _ in 0..<stack.newNodeCount {
          nodes[next] = (parent, batch.nodes[index].value)
          parent = next
          next += 1
          index += 1
        }
        var path: [UInt64] = []
        var node = parent
        while let known = nodes[node] {
          path.append(known.value)
          node = known.parent
        }
        stacks[batch.firstStack.rawValue + UInt32(offset)] = path.reversed()
      }
    }
    return stacks
  }

  @Test func `a stack seen again has the same number and is written once`() {
    var table = StackTable()
    let first = table.intern(words([3, 2, 1]).borrowedBytes, addressSpace: AddressSpaceHandle(7))
    let other = table.intern(words([4, 2, 1]).borrowedBytes, addressSpace: AddressSpaceHandle(7))
    let again = table.intern(words([3, 2, 1]).borrowedBytes, addressSpace: AddressSpaceHandle(7))
    let prefix = table.intern(words([2, 1]).borrowedBytes, addressSpace: AddressSpaceHandle(7))
    let elsewhere = table.intern(words([3, 2, 1]).borrowedBytes, addressSpace: AddressSpaceHandle(8))
    #expect(first == again)
    #expect(Set([first, other, prefix, elsewhere]).count == 4)
    let batch = table.takeBatch()
    #expect(batch.nodes.count == 4 + 1 + 0 + 4)
    #expect(
      expand([batch]) == [
        first.rawValue: [7, 1, 2, 3], other.rawValue: [7, 1, 2, 4], prefix.rawValue: [7, 1, 2],
        elsewhere.rawValue: [8, 1, 2, 3],
      ])
  }

  @Test func `stacks that branch off each other everywhere share every frame they have in common`() {
    var table = StackTable()
    var generator = SeededGenerator(seed: 5)
    var expected: [UInt32: [UInt64]] = [:]
    var prefixes: Set<[UInt64]> = []
    for _ in 0..<3000 {
      let space = UInt32.random(in: 1...2, using: &generator)
      let frames = (0..<Int.random(in: 1...7, using: &generator)).map { _ in UInt64.random(in: 0...2, using: &generator) }
      let stack = table.intern(words(frames).borrowedBytes, addressSpace: AddressSpaceHandle(space))
      let path = [UInt64(space)] + frames.reversed()
      expected[stack.rawValue] = path
      for count in 1...path.count { prefixes.insert(Array(path.prefix(count))) }
    }
    let batch = table.takeBatch()
    #expect(batch.nodes.count == prefixes.count)
    #expect(expand([batch]) == expected)
  }

  @Test func `no frames at all are the empty stack`() {
    var table = StackTable()
    #expect(table.intern([UInt8]().borrowedBytes, addressSpace: .kernel) == .empty)
    let hasNew = table.hasNew
    #expect(!hasNew)
  }

  @Test func `a full table forgets and goes on with new numbers that mean the same frames`() {
    var table = StackTable()
    var batches: [StackBatch] = []
    var expected: [UInt32: [UInt64]] = [:]
    var generator = SystemRandomNumberGenerator()
    for round in 0..<150_000 {
      let frames = [UInt64(round), UInt64.random(in: 0..<50, using: &generator), 1]
      let stack = table.intern(words(frames).borrowedBytes, addressSpace: AddressSpaceHandle(1))
      if round % 1000 == 0 { expected[stack.rawValue] = [1] + frames.reversed() }
      if round % 20_000 == 0 { batches.append(table.takeBatch()) }
    }
    batches.append(table.takeBatch())
    let stacks = expand(batches)
    for (stack, frames) in expected { #expect(stacks[stack] == frames) }
  }
}
