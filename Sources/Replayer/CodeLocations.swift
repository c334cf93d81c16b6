import Base
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
struct CodeLocations: Sendable {
  private(set) var locations: [CodeLocation] = []
  private var index: [CodeLocation: UInt32] = [:]
  /// By node: the way up, and its place as a caller (its address is where a call returns to). Side by side, because
  /// walking stacks is one jump through memory a frame.
  private var links: [Link]
  /// By node: its place as the innermost frame of a stack.
  private var asLeaf: [UInt32]
  /// The address space looked into last: neighbours in the trie share it.
  private var lastSpace: (handle: UInt32, map: AddressSpaceMap)?
  private var layouts: [UInt32: ImageLayout] = [:]
  private static let notYet = UInt32.max
  /// Of a node that no location stands for: a root, or an interpreter's frame, which this version does not name.
  private static let none = UInt32.max - 1

  private struct Link {
    /// 0 at the top, and where the way up is lost.
    var parent: UInt32
    var location: UInt32
  }

  init(_ contents: TraceContents) {
    let trie = contents.trie
    let count = trie.parents.count
    asLeaf = [UInt32](repeating: Self.notYet, count: count)
    links = []
    links.reserveCapacity(count)
    for node in 0..<count {
      let kind = trie.kinds[node]
      let isNative = kind == StackNode.Space.user.rawValue || kind == StackNode.Space.kernel.rawValue
      let isRoot = kind == StackNode.Space.root.rawValue
      // Parents come before their children in the file, so that every way up ends.
      let parent = !isRoot && Int(trie.parents[node]) < node ? trie.parents[node] : 0
      links.append(Link(parent: parent, location: isNative ? Self.notYet : Self.none))
    }
  }

  /// Appends the locations of the stack that ends at `leaf`, innermost first. Interpreter frames are passed over: the
  /// innermost frame is the innermost native one.
  mutating func append(stackEndingAt leaf: UInt32, of contents: TraceContents, to stack: inout [UInt32]) {
    var node = Int(leaf)
    while node != 0, links[node].location == Self.none { node = Int(links[node].parent) }
    guard node != 0 else { return }
    if asLeaf[node] == Self.notYet { asLeaf[node] = locate(node, kind: contents.trie.kinds[node], isLeaf: true, contents) }
    stack.append(asLeaf[node])
    node = Int(links[node].parent)
    while node != 0 {
      let link = links[node]
      if link.location == Self.notYet {
        let location = locate(node, kind: contents.trie.kinds[node], isLeaf: false, contents)
        links[node].location = location
        stack.append(location)
      } else if link.location != Self.none {
        stack.append(link.location)
      }
      node = Int(link.parent)
    }
  }

  private mutating func locate(_ node: Int, kind: UInt8, isLeaf: Bool, _ contents: TraceContents) -> UInt32 {
    let address = ProcessAddress(contents.trie.values[node])
    let lookUp = (isLeaf ? CodeAddress.instruction(address) : .returnAddress(address)).forLookup.rawValue
    if kind == StackNode.Space.kernel.rawValue {
      return number(of: CodeLocation(image: ImageHandle.kernel.rawValue, address: lookUp))
    }
    let space = contents.trie.spaces[node]
    if space != lastSpace?.handle { lastSpace = contents.spaces[space].map { (space, $0) } }
    guard let mapping = lastSpace?.map.mapping(at: lookUp) else {
      return number(of: CodeLocation(image: CodeLocation.unmapped, address: lookUp))
    }
    guard let image = contents.images[mapping.image], image.kind != .anonymous else {
      return number(of: CodeLocation(image: mapping.image, address: lookUp))
    }
    let offset = FileOffset(lookUp &- mapping.start &+ mapping.fileOffset)
    // Without its program headers a file offset is the best that can be said.
    let imageAddress = layout(of: image).address(of: offset)?.rawValue ?? offset.rawValue
    return number(of: CodeLocation(image: mapping.image, address: imageAddress))
  }

  private mutating func layout(of image: ImageRecord) -> ImageLayout {
    if let known = layouts[image.handle.rawValue] { return known }
    let layout = image.layout
    layouts[image.handle.rawValue] = layout
    return layout
  }

  private mutating func number(of location: CodeLocation) -> UInt32 {
    if let known = index[location] { return known }
    let number = UInt32(locations.count)
    locations.append(location)
    index[location] = number
    return number
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
