public import Base

/// A mapped file and what tells it from every other one.
///
/// A record with a handle seen before replaces the earlier one (the build ID is known only once the file was opened).
public struct ImageRecord: Hashable, Sendable {
  public enum Kind: UInt8, Hashable, Sendable {
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
