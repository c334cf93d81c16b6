package import Base

/// How the bytes of a file lie in its image: the only place that turns file offsets into image addresses and back.
package struct ImageLayout: Hashable, Sendable {
  /// A `PT_LOAD` program header.
  package struct Segment: Hashable, Sendable {
    package let fileOffset: FileOffset
    package let address: ImageAddress
    package let fileByteCount: UInt64
    package let memoryByteCount: UInt64
    package init(fileOffset: FileOffset, address: ImageAddress, fileByteCount: UInt64, memoryByteCount: UInt64) {
      self.fileOffset = fileOffset
      self.address = address
      self.fileByteCount = fileByteCount
      self.memoryByteCount = memoryByteCount
    }
  }
  /// In the order of the program header table.
  package let segments: [Segment]

  package init(_ segments: [Segment]) { self.segments = segments }

  /// The `PT_LOAD`s among `segments`.
  package init(_ segments: [ElfSegment]) {
    self.segments = segments.filter { $0.kind == .load }.map {
      Segment(
        fileOffset: $0.fileOffset, address: $0.address, fileByteCount: $0.fileByteCount, memoryByteCount: $0.memoryByteCount)
    }
  }

  /// The address of the byte at `offset`; `nil` when no segment holds it.
  ///
  /// The kernel maps whole pages, so code may run in the bytes of the file just before or after a segment that share
  /// a page with it: when no segment holds the offset itself, the one whose pages do decides.
  package func address(of offset: FileOffset) -> ImageAddress? {
    for segment in segments {
      if let distance = offset.distance(from: segment.fileOffset), distance < segment.fileByteCount {
        return segment.address.adding(distance)
      }
    }
    let page: UInt64 = 4096
    for segment in segments where segment.fileByteCount > 0 {
      let first = segment.fileOffset.rawValue & ~(page - 1)
      guard let end = segment.fileOffset.adding(segment.fileByteCount),
        let pageEnd = end.adding(page - 1).map({ $0.rawValue & ~(page - 1) })
      else { continue }
      if offset.rawValue >= first, offset.rawValue < pageEnd {
        return ImageAddress(segment.address.rawValue &+ (offset.rawValue &- segment.fileOffset.rawValue))
      }
    }
    return nil
  }

  /// Where in the file the byte at `address` is; `nil` when no segment holds it or it has no bytes there (`.bss`).
  package func fileOffset(of address: ImageAddress) -> FileOffset? {
    for segment in segments {
      if let distance = address.distance(from: segment.address), distance < segment.fileByteCount {
        return segment.fileOffset.adding(distance)
      }
    }
    return nil
  }

  /// Whether any segment, its zero-filled part included, holds `address`.
  package func contains(_ address: ImageAddress) -> Bool {
    segments.contains { segment in
      address.distance(from: segment.address).map { $0 < segment.memoryByteCount } ?? false
    }
  }

  /// What is added to a file offset of the mapping at `start` to get a process address minus its image address:
  /// the load bias of a mapping of `fileOffset` at `start`; `nil` when the file has no such segment.
  package func loadBias(mappingStart start: ProcessAddress, fileOffset: FileOffset) -> UInt64? {
    address(of: fileOffset).map { start.rawValue &- $0.rawValue }
  }
}
