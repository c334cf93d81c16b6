package import Base

/// Where lines and inlined frames of an image's addresses come from: its debug information, Go's own table.
///
/// A source lives for one image's addresses, which come in ascending order, so it may keep what it read last.
package protocol FrameSource {
  /// The innermost inlined function first; `nil` where this source knows nothing, and the next one, at last the symbol table, is
  /// asked.
  mutating func frames(at address: ImageAddress) -> [Frame]?
}

/// The sources of one image, best first.
package struct FrameSources {
  private var sources: [any FrameSource] = []
  /// Names of functions come from a table that has all of its language's.
  package private(set) var hasGo = false

  /// - Parameter located: the image and its debug file, which live as long as the sources.
  package init(_ located: ImageLocator.Located) {
    if let go = GoFrames(located.image) ?? GoFrames(located.debugFile) {
      hasGo = true
      sources.append(go)
    }
  }

  package var isEmpty: Bool { sources.isEmpty }

  package mutating func frames(at address: ImageAddress) -> [Frame]? {
    for index in sources.indices {
      if let frames = sources[index].frames(at: address), !frames.isEmpty { return frames }
    }
    return nil
  }
}
