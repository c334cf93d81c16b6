public import Base

/// A set of mappings in which an address means one thing for its whole life: two overlap only where they say the same.
///
/// A process gets a new one at `exec`, at `fork`, and whenever a mapping takes the place of another.
public struct AddressSpaceRecord: Hashable, Sendable {
  public enum Origin: UInt8, Hashable, Sendable {
    /// Found by the scan of `/proc`.
    case scan = 0
    case fork = 1
    case exec = 2
    /// A mapping took the place of another one.
    case remap = 3
  }
  public var handle: AddressSpaceHandle
  public var process: ProcessHandle
  public var time: MonotonicInstant
  public var origin: Origin
  /// The space whose mappings, as recorded before this record, hold here too; those that a mapping of this
  /// space overlaps are replaced by it. `nil` for none.
  public var inherits: AddressSpaceHandle?
  public init(
    handle: AddressSpaceHandle, process: ProcessHandle, time: MonotonicInstant, origin: Origin,
    inherits: AddressSpaceHandle? = nil
  ) {
    self.handle = handle
    self.process = process
    self.time = time
    self.origin = origin
    self.inherits = inherits
  }
}

/// Part of an image mapped into an address space. It holds from `time` until the space ends.
public struct MappingRecord: Hashable, Sendable {
  public var addressSpace: AddressSpaceHandle
  public var image: ImageHandle
  public var time: MonotonicInstant
  public var start: ProcessAddress
  public var byteCount: UInt64
  /// Of `start` in the file.
  public var fileOffset: FileOffset
  /// `PROT_*` bits of `mmap(2)`.
  public var protection: UInt8
  public init(
    addressSpace: AddressSpaceHandle, image: ImageHandle, time: MonotonicInstant, start: ProcessAddress,
    byteCount: UInt64, fileOffset: FileOffset, protection: UInt8
  ) {
    self.addressSpace = addressSpace
    self.image = image
    self.time = time
    self.start = start
    self.byteCount = byteCount
    self.fileOffset = fileOffset
    self.protection = protection
  }
}

extension AddressSpaceRecord: SegmentRecord {
  public static let kind = RecordKind.addressSpace

  public func encode(into writer: inout ByteWriter) {
    writer.handle(handle)
    writer.handle(process)
    writer.instant(time)
    writer.write(origin.rawValue)
    writer.flag(inherits != nil)
    if let inherits { writer.handle(inherits) }
  }

  public init(from cursor: inout ByteCursor) throws(MalformedInput) {
    handle = try cursor.handle("address_space.handle")
    process = try cursor.handle("address_space.process")
    time = try cursor.instant("address_space.time")
    origin = try cursor.choice("address_space.origin")
    inherits = try cursor.flag("address_space.has_inherits") ? try cursor.handle("address_space.inherits") : nil
  }
}

extension MappingRecord: SegmentRecord {
  public static let kind = RecordKind.mapping

  public func encode(into writer: inout ByteWriter) {
    writer.handle(addressSpace)
    writer.handle(image)
    writer.instant(time)
    writer.number(start.rawValue)
    writer.number(byteCount)
    writer.number(fileOffset.rawValue)
    writer.write(protection)
  }

  public init(from cursor: inout ByteCursor) throws(MalformedInput) {
    addressSpace = try cursor.handle("mapping.address_space")
    image = try cursor.handle("mapping.image")
    time = try cursor.instant("mapping.time")
    start = ProcessAddress(try cursor.uleb128("mapping.start"))
    byteCount = try cursor.uleb128("mapping.byte_count")
    fileOffset = FileOffset(try cursor.uleb128("mapping.file_offset"))
    protection = try cursor.read("mapping.protection")
  }
}
