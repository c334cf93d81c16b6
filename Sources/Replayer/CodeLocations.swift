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
  /// By node, twice: as a caller (its address is where a call returns to), and as the innermost frame of a stack.
  private var asCaller: [UInt32]
  private var asLeaf: [UInt32]
  private var layouts: [UInt32: ImageLayout] = [:]
  private static let notYet = UInt32.max

  init(_ contents: TraceContents) {
    asCaller = [UInt32](repeating: Self.notYet, count: contents.trie.parents.count)
    asLeaf = asCaller
  }

  /// Appends the locations of the stack that ends at `leaf`, innermost first. Interpreter frames, which this version
  /// does not name, are passed over.
  mutating func append(stackEndingAt leaf: UInt32, of contents: TraceContents, to stack: inout [UInt32]) {
    var node = Int(leaf)
    var isLeaf = true
    for _ in 0...Limits.stackDepth where node != 0 {
      let kind = contents.trie.kinds[node]
      let parent = Int(contents.trie.parents[node])
      if kind == StackNode.Space.root.rawValue { return }
      if kind == StackNode.Space.user.rawValue || kind == StackNode.Space.kernel.rawValue {
        var known = isLeaf ? asLeaf[node] : asCaller[node]
        if known == Self.notYet {
          known = locate(node, kind: kind, isLeaf: isLeaf, contents)
          if isLeaf { asLeaf[node] = known } else { asCaller[node] = known }
        }
        stack.append(known)
        isLeaf = false
      }
      // Parents come before their children in the file, so this ends.
      guard parent < node else { return }
      node = parent
    }
  }

  private mutating func locate(_ node: Int, kind: UInt8, isLeaf: Bool, _ contents: TraceContents) -> UInt32 {
    let address = ProcessAddress(contents.trie.values[node])
    let lookUp = (isLeaf ? CodeAddress.instruction(address) : .returnAddress(address)).forLookup.rawValue
    if kind == StackNode.Space.kernel.rawValue {
      return number(of: CodeLocation(image: ImageHandle.kernel.rawValue, address: lookUp))
    }
    guard let mapping = contents.spaces[contents.trie.spaces[node]]?.mapping(at: lookUp) else {
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
