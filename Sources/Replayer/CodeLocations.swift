import Base
import Interpreters
import ObjectFile
import TraceFormat

/// A place in code that does not depend on where it was mapped.
struct CodeLocation: Hashable, Sendable {
  /// `CodeLocation.unmapped` for an address in no mapping.
  var image: UInt32
  /// Of the image, ready to be looked up (one less for return addresses); of the process or kernel where there is no image.
  var address: UInt64

  static let unmapped = UInt32.max
}

/// Turns the frames of all stacks into the few distinct places they stand for.
///
/// `enter` numbers the places of a stack, in the time of what is new of it; `append` then walks it. Stacks are not kept
/// as rows of places: the trie that they share is many times smaller.
struct CodeLocations: Sendable {
  private(set) var locations: [CodeLocation] = []
  private var index: HashIndex
  /// By node: the way up, its place as a caller (its address is where a call returns to), and how many frames its way up
  /// has. Side by side, because walking stacks is one jump through memory a frame.
  private var links: [Link]
  /// By node: its place as the innermost frame of a stack.
  private var asLeaf: [UInt32]
  private var trie: FrameTrie
  private var spaces: [UInt32: AddressSpaceMap]
  /// The address space looked into last: neighbours in the trie share it.
  private var lastSpace: (handle: UInt32, map: AddressSpaceMap)?
  /// How the files lie in their images, in any order; `layoutPlaces` by image.
  private var layouts: [ImageLayout] = []
  private var layoutPlaces: [UInt32: Int] = [:]
  private var lastLayout: (image: UInt32, place: Int)
  /// Of an image whose addresses are the process's own: anonymous memory, or a record that is lost.
  private static let noLayout = -1
  private static let notYet = UInt32.max
  /// Of a node that no location stands for: a root, or an interpreter's frame that is missing or of one that is not known.
  private static let none = UInt32.max - 1

  /// The nodes that say why an interpreter's frames are missing; few.
  private var failures: [UInt32: UInt8] = [:]

  private struct Link {
    /// 0 at the top, and where the way up is lost.
    var parent: UInt32
    var location: UInt32
    /// Frames from here to the top that a location stands for; known once `location` is.
    var depth: UInt32
  }

  init(_ contents: TraceContents) {
    trie = contents.trie
    spaces = contents.spaces
    for (handle, image) in contents.images where image.kind != .anonymous {
      layoutPlaces[handle] = layouts.count
      layouts.append(image.layout)
    }
    lastLayout = (CodeLocation.unmapped, Self.noLayout)
    let count = trie.parents.count
    index = HashIndex(capacity: count / 4)
    asLeaf = [UInt32](repeating: Self.notYet, count: count)
    links = []
    links.reserveCapacity(count)
    for node in 0..<count {
      let kind = trie.kinds[node]
      let isFrame =
        kind == StackNode.Space.user.rawValue || kind == StackNode.Space.kernel.rawValue
        || Self.interpreted(kind, trie.values[node]) != nil
      let isRoot = kind == StackNode.Space.root.rawValue
      if !isFrame, InterpreterKind(rawValue: kind) != nil {
        failures[UInt32(node)] = UInt8(clamping: InterpreterPlace(packed: trie.values[node]).instruction)
      }
      // Parents come before their children in the file, so that every way up ends.
      let parent = !isRoot && Int(trie.parents[node]) < node ? trie.parents[node] : 0
      let depth = (parent == 0 ? 0 : links[Int(parent)].depth) &+ (isFrame ? 1 : 0)
      links.append(Link(parent: parent, location: isFrame ? Self.notYet : Self.none, depth: depth))
    }
  }

  private static func interpreted(_ kind: UInt8, _ value: UInt64) -> CodeLocation? {
    guard let interpreter = InterpreterKind(rawValue: kind) else { return nil }
    return CodeLocation(interpreter: interpreter, place: InterpreterPlace(packed: value))
  }

  /// The innermost frame at `leaf` or above it that a location stands for; 0 for none.
  private func innermost(_ leaf: UInt32) -> Int {
    var node = Int(leaf)
    while node != 0, links[node].location == Self.none { node = Int(links[node].parent) }
    return node
  }

  /// Numbers the locations of the stack that ends at `leaf`, innermost first, that have no number yet.
  /// - Returns: how many locations the stack has.
  mutating func enter(stackEndingAt leaf: UInt32) -> Int {
    var node = innermost(leaf)
    guard node != 0 else { return 0 }
    let depth = Int(links[node].depth)
    if asLeaf[node] == Self.notYet { asLeaf[node] = locate(node, isLeaf: true) }
    node = Int(links[node].parent)
    while node != 0 {
      let link = links[node]
      if link.location == Self.notYet {
        links[node].location = locate(node, isLeaf: false)
      } else if link.location != Self.none {
        // Whoever gave it its number went on to the top.
        return depth
      }
      node = Int(link.parent)
    }
    return depth
  }

  /// Appends the locations of the stack that ends at `leaf`, which was entered, innermost first.
  func append(stackEndingAt leaf: UInt32, to stack: inout [UInt32]) {
    var node = innermost(leaf)
    guard node != 0 else { return }
    stack.append(asLeaf[node])
    node = Int(links[node].parent)
    while node != 0 {
      let link = links[node]
      if link.location != Self.none { stack.append(link.location) }
      node = Int(link.parent)
    }
  }

  /// Lets go of what only `enter` needs.
  mutating func finish() {
    trie = FrameTrie()
    spaces = [:]
    lastSpace = nil
    index = HashIndex()
  }

  /// Why frames of an interpreter are missing in the stack that ends at `leaf`, an `InterpreterFailure`'s number; `nil` where none are.
  func interpreterFailure(stackEndingAt leaf: UInt32) -> UInt8? {
    guard !failures.isEmpty, Int(leaf) < links.count else { return nil }
    var node = leaf
    while node != 0 {
      if let reason = failures[node] { return reason }
      node = links[Int(node)].parent
    }
    return nil
  }

  // MARK: Walking a stack that was entered

  /// The innermost frame of the stack that ends at `leaf`; `nil` for a stack without frames.
  func innermostFrame(_ leaf: UInt32) -> (location: UInt32, caller: UInt32)? {
    let node = innermost(leaf)
    return node == 0 ? nil : (asLeaf[node], links[node].parent)
  }

  /// What `node`, which is not 0, is as a caller: its location, `nil` where none stands for it, and who called it, 0 for
  /// nobody.
  @inline(__always)
  func frame(_ node: UInt32) -> (location: UInt32?, caller: UInt32) {
    let link = links[Int(node)]
    return (link.location == Self.none ? nil : link.location, link.parent)
  }

  var nodeCount: Int { links.count }

  private mutating func locate(_ node: Int, isLeaf: Bool) -> UInt32 {
    if let place = Self.interpreted(trie.kinds[node], trie.values[node]) { return number(of: place) }
    let address = ProcessAddress(trie.values[node])
    let lookUp = (isLeaf ? CodeAddress.instruction(address) : .returnAddress(address)).forLookup.rawValue
    if trie.kinds[node] == StackNode.Space.kernel.rawValue {
      return number(of: CodeLocation(image: ImageHandle.kernel.rawValue, address: lookUp))
    }
    let space = trie.spaces[node]
    if space != lastSpace?.handle { lastSpace = spaces[space].map { (space, $0) } }
    guard let mapping = lastSpace?.map.mapping(at: lookUp) else {
      return number(of: CodeLocation(image: CodeLocation.unmapped, address: lookUp))
    }
    if mapping.image != lastLayout.image { lastLayout = (mapping.image, layoutPlaces[mapping.image] ?? Self.noLayout) }
    guard lastLayout.place != Self.noLayout else {
      return number(of: CodeLocation(image: mapping.image, address: lookUp))
    }
    let offset = FileOffset(lookUp &- mapping.start &+ mapping.fileOffset)
    // Without its program headers a file offset is the best that can be said.
    let imageAddress = layouts[lastLayout.place].address(of: offset)?.rawValue ?? offset.rawValue
    return number(of: CodeLocation(image: mapping.image, address: imageAddress))
  }

  private mutating func number(of location: CodeLocation) -> UInt32 {
    var hash = IntegerHash()
    hash.combine(location.image)
    hash.combine(location.address)
    if let known = index.find(hash.value, where: { locations[$0] == location }) { return UInt32(known) }
    let number = locations.count
    locations.append(location)
    index.insert(hash.value, place: number)
    return UInt32(number)
  }
}

extension ImageRecord {
  /// How the file's bytes lie in the image.
  var layout: ImageLayout {
    ImageLayout(
      segments.map {
        ImageLayout.Segment(
          fileOffset: $0.fileOffset, address: $0.address, fileByteCount: $0.fileByteCount, memoryByteCount: $0.memoryByteCount)
      })
  }
}
