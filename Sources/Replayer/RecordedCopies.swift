import Base
package import Symbolize
package import TraceFormat

/// The copies of images that a trace carries, put together when they are asked for.
package struct RecordedCopies: Sendable {
  private let reader: SegmentReader
  private let images: [UInt32: ImageRecord]
  private let ends: [UInt32: ImageEndRecord]
  private let handles: [ImageIdentity: UInt32]

  package init(_ trace: LoadedTrace) {
    reader = trace.reader
    images = trace.contents.images
    ends = trace.contents.imageEnds
    var handles: [ImageIdentity: UInt32] = [:]
    // Of equal ones the first: in the order of handles, whatever the dictionary's is.
    for handle in images.keys.sorted() {
      if let image = images[handle], handles[image.identity] == nil { handles[image.identity] = handle }
    }
    self.handles = handles
  }

  /// The copy of `identity`; `nil` when the trace has none, or not all of it.
  package func copy(of identity: ImageIdentity) -> ImageBytes? { handles[identity].flatMap { copy(of: ImageHandle($0)) } }

  /// The image whose chunks `image`'s copy is made of: itself, or one with the same bytes. `nil` when there is none.
  package func source(of image: ImageHandle) -> ImageHandle? {
    guard let end = ends[image.rawValue] else { return nil }
    if end.outcome == .sameAs {
      // One step only: a copy that is the same as a copy that is the same as … is no copy of ours.
      guard let same = end.same, let other = ends[same.rawValue], other.outcome != .sameAs else { return nil }
      return source(of: same)
    }
    return end.outcome == .symbols || end.outcome == .full ? image : nil
  }

  package func copy(of image: ImageHandle) -> ImageBytes? {
    guard let source = source(of: image), let end = ends[source.rawValue], let record = images[source.rawValue] else { return nil }
    guard var builder = try? ImageBytes.Builder(path: record.path, byteCount: record.byteCount) else { return nil }
    var copied: UInt64 = 0
    for frame in reader.frames where frame.image == source && frame.kinds.contains(.imageChunk) {
      guard let decoded = try? reader.decode(frame, kinds: KindSet(.imageChunk)) else { return nil }
      for case .imageChunk(let chunk) in decoded.records where chunk.image == source {
        builder.write(chunk.bytes, at: chunk.fileOffset)
        copied &+= UInt64(chunk.bytes.count)
      }
    }
    guard copied == end.copiedByteCount else { return nil }
    return builder.finish()
  }
}
