public import Base

/// A mapped file and what tells it from every other one.
///
/// A record with a handle seen before replaces the earlier one (the build ID is known only once the file was opened).
public struct ImageRecord: Hashable, Sendable {
  public enum Kind: UInt8, Hashable, Sendable, CaseIterable {
    case file = 0
    case vdso = 1
    /// Executable memory without a file: just-in-time compiled code.
    case anonymous = 2
    case kernel = 3
    case kernelModule = 4
  }
  public var handle: ImageHandle
  public var kind: Kind
  /// As the process saw it; ` (deleted)` removed, see `wasDeleted`.
  public var path: String
  public var wasDeleted: Bool
  public var device: UInt64
  public var inode: UInt64
  public var inodeGeneration: UInt64
  /// 0 when the file could not be opened.
  public var byteCount: UInt64
  /// Nanoseconds since 1970; 0 when not known.
  public var modified: Int64
  public var buildID: BuildID?
  /// The `PT_LOAD` entries in their own order, so that a file offset becomes an image address without any copy;
  /// empty when the file could not be opened or is no ELF file.
  public var segments: [Segment]

  /// A `PT_LOAD` program header (System V gABI, chapter 5).
  public struct Segment: Hashable, Sendable {
    public var fileOffset: FileOffset
    public var address: ImageAddress
    public var fileByteCount: UInt64
    public var memoryByteCount: UInt64
    public init(fileOffset: FileOffset, address: ImageAddress, fileByteCount: UInt64, memoryByteCount: UInt64) {
      self.fileOffset = fileOffset
      self.address = address
      self.fileByteCount = fileByteCount
      self.memoryByteCount = memoryByteCount
    }
  }

  public init(handle: ImageHandle, kind: Kind, path: String) {
    self.handle = handle
    self.kind = kind
    self.path = path
    wasDeleted = false
    device = 0
    inode = 0
    inodeGeneration = 0
    byteCount = 0
    modified = 0
    buildID = nil
    segments = []
  }
}

/// Some bytes of an image's copy. Copies keep the file's own offsets; what is not there reads as zero.
public struct ImageChunkRecord: Hashable, Sendable {
  public var image: ImageHandle
  public var fileOffset: FileOffset
  public var bytes: [UInt8]
  public init(image: ImageHandle, fileOffset: FileOffset, bytes: [UInt8]) {
    self.image = image
    self.fileOffset = fileOffset
    self.bytes = bytes
  }
}

/// The end of an image's copy, or why there is none. A copy without it is unfinished and is not used.
public struct ImageEndRecord: Hashable, Sendable {
  public enum Outcome: UInt8, Hashable, Sendable, CaseIterable {
    /// All sections that symbolizing and unwinding need.
    case symbols = 0
    /// Every byte of the file.
    case full = 1
    /// `same` holds the copy: same build ID and same size.
    case sameAs = 2
    /// Not asked for (`--images none`).
    case notAsked = 3
    /// The process was gone before the file could be opened, and no file of that identity is at the path.
    case gone = 4
    case unreadable = 5
    case notELF = 6
    /// The file changed while it was read.
    case changed = 7
    /// The limit on bytes copied in a recording was reached.
    case overBudget = 8
  }
  public var image: ImageHandle
  public var outcome: Outcome
  public var same: ImageHandle?
  /// Bytes in all chunks of this copy, so that a lost chunk is noticed.
  public var copiedByteCount: UInt64
  public init(image: ImageHandle, outcome: Outcome, same: ImageHandle? = nil, copiedByteCount: UInt64 = 0) {
    self.image = image
    self.outcome = outcome
    self.same = same
    self.copiedByteCount = copiedByteCount
  }
}

extension ImageRecord: SegmentRecord {
  public static let kind = RecordKind.image

  public func encode(into writer: inout ByteWriter) {
    writer.handle(handle)
    writer.write(kind.rawValue)
    writer.text(path)
    writer.flag(wasDeleted)
    writer.number(device)
    writer.number(inode)
    writer.number(inodeGeneration)
    writer.number(byteCount)
    writer.zigzag(modified)
    writer.lengthPrefixed(buildID?.bytes ?? [])
    writer.number(UInt64(segments.count))
    for segment in segments {
      writer.number(segment.fileOffset.rawValue)
      writer.number(segment.address.rawValue)
      writer.number(segment.fileByteCount)
      writer.number(segment.memoryByteCount)
    }
  }

  public init(from cursor: inout ByteCursor) throws(MalformedInput) {
    handle = try cursor.handle("image.handle")
    kind = try cursor.choice("image.kind")
    path = try cursor.text("image.path")
    wasDeleted = try cursor.flag("image.was_deleted")
    device = try cursor.uleb128("image.device")
    inode = try cursor.uleb128("image.inode")
    inodeGeneration = try cursor.uleb128("image.inode_generation")
    byteCount = try cursor.uleb128("image.byte_count")
    modified = try cursor.zigzag("image.modified")
    buildID = BuildID(try cursor.data("image.build_id", limit: BuildID.maximumByteCount))
    segments = []
    for _ in 0..<(try cursor.count("image.segment_count")) {
      let fileOffset = FileOffset(try cursor.uleb128("image.segment_file_offset"))
      let address = ImageAddress(try cursor.uleb128("image.segment_address"))
      let fileByteCount = try cursor.uleb128("image.segment_file_byte_count")
      segments.append(
        Segment(
          fileOffset: fileOffset, address: address, fileByteCount: fileByteCount,
          memoryByteCount: try cursor.uleb128("image.segment_memory_byte_count")))
    }
  }
}

extension ImageChunkRecord: SegmentRecord {
  public static let kind = RecordKind.imageChunk

  public func encode(into writer: inout ByteWriter) {
    writer.handle(image)
    writer.number(fileOffset.rawValue)
    writer.lengthPrefixed(bytes)
  }

  public init(from cursor: inout ByteCursor) throws(MalformedInput) {
    image = try cursor.handle("image_chunk.image")
    fileOffset = FileOffset(try cursor.uleb128("image_chunk.file_offset"))
    bytes = try cursor.data("image_chunk.bytes", limit: Limits.frameContentByteCount)
  }

  public func halves() -> (Self, Self)? {
    let middle = bytes.count / 2
    guard middle > 0, let second = fileOffset.adding(UInt64(middle)) else { return nil }
    return (
      Self(image: image, fileOffset: fileOffset, bytes: Array(bytes[..<middle])),
      Self(image: image, fileOffset: second, bytes: Array(bytes[middle...]))
    )
  }
}

extension ImageEndRecord: SegmentRecord {
  public static let kind = RecordKind.imageEnd

  public func encode(into writer: inout ByteWriter) {
    writer.handle(image)
    writer.write(outcome.rawValue)
    writer.flag(same != nil)
    if let same { writer.handle(same) }
    writer.number(copiedByteCount)
  }

  public init(from cursor: inout ByteCursor) throws(MalformedInput) {
    image = try cursor.handle("image_end.image")
    outcome = try cursor.choice("image_end.outcome")
    same = try cursor.flag("image_end.has_same") ? try cursor.handle("image_end.same") : nil
    copiedByteCount = try cursor.uleb128("image_end.copied_byte_count")
  }
}
