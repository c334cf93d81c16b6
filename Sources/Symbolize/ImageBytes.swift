package import Base

#if canImport(Glibc)
  import Glibc
#else
  import Musl
#endif

/// The bytes of an image or debug file, shared by everything that reads from it: a mapped file or a recorded copy in memory.
package final class ImageBytes: Sendable {
  private enum Owner: ~Copyable, Sendable {
    case file(MappedFile)
    case memory(ZeroedMemory)
  }
  private let owner: Owner
  package let byteCount: Int
  /// What tells the file from what it was before, and from every other file of this machine; `nil` for bytes in memory.
  package let stamp: FileStamp?
  /// What tells the bytes from all others of this machine for as long as they are mapped; `nil` for bytes in memory.
  package let identity: FileStamp?
  /// Where the file was opened.
  package let path: String?

  package init(_ file: consuming MappedFile, path: String? = nil, stamp: FileStamp? = nil) {
    byteCount = file.byteCount
    owner = .file(file)
    self.stamp = stamp
    identity = stamp
    self.path = path
  }

  /// A file that nobody writes to once it has its name, whatever its times say.
  package init(writtenOnce file: borrowing OwnedDescriptor, path: String) throws(SystemCallError) {
    let status = try file.status(path: path)
    let mapped = try MappedFile(file, path: path)
    byteCount = mapped.byteCount
    owner = .file(mapped)
    stamp = nil
    // While it is mapped no other file gets its number.
    identity = FileStamp(device: UInt64(status.st_dev), inode: UInt64(status.st_ino), modified: 0, changed: 0)
    self.path = path
  }

  private init(_ memory: consuming ZeroedMemory, stamp: FileStamp? = nil) {
    byteCount = memory.byteCount
    owner = .memory(memory)
    self.stamp = stamp
    identity = nil
    path = nil
  }

  /// A copy of `bytes`.
  package convenience init(_ bytes: [UInt8], stamp: FileStamp? = nil) throws(SymbolizeError) {
    var builder = try Builder(path: "", byteCount: UInt64(bytes.count))
    builder.write(bytes, at: FileOffset(0))
    self.init(builder.memory, stamp: stamp)
  }

  /// Whether bytes were read that are not the file's, because it was shortened meanwhile: what came of them is not to be believed.
  package var isDamaged: Bool {
    switch owner {
    case .file(let file): file.isDamaged
    case .memory: false
    }
  }

  /// Gives pages of a mapped file back that are not needed for a while.
  package func releasePages() {
    switch owner {
    case .file(let file): file.releasePages()
    case .memory: break
    }
  }

  /// The bytes, borrowed for as long as this object is.
  package var bytes: RawSpan {
    @_lifetime(borrow self) get {
      switch owner {
      case .file(let file):
        // Safe: `owner` never changes and lives as long as `self`.
        return unsafe _overrideLifetime(file.bytes, borrowing: self)
      case .memory(let memory):
        // Safe: as above.
        return unsafe _overrideLifetime(memory.bytes, borrowing: self)
      }
    }
  }

  /// Puts a recorded copy together from its chunks; what no chunk covers reads as zero and takes no memory.
  package struct Builder: ~Copyable {
    /// Address space, not memory: more than any file that is mapped as code.
    package static let maximumByteCount: UInt64 = 64 << 30

    fileprivate var memory: ZeroedMemory

    /// - Parameters:
    ///   - path: only for the error.
    ///   - byteCount: the size of the file that was copied.
    package init(path: String, byteCount: UInt64) throws(SymbolizeError) {
      guard byteCount <= Self.maximumByteCount else {
        throw .copyTooLarge(path: path, byteCount: byteCount, limit: Self.maximumByteCount)
      }
      do throws(SystemCallError) {
        memory = try ZeroedMemory(byteCount: Int(byteCount))
      } catch {
        throw .outOfMemory(path: path, cause: error)
      }
    }

    /// What reaches past the end is left out.
    package mutating func write(_ bytes: [UInt8], at offset: FileOffset) {
      memory.write(bytes.borrowedBytes, at: offset.rawValue)
    }

    package consuming func finish() -> ImageBytes { ImageBytes(memory) }
  }
}

/// A file of this machine as it is now: writing to it, and putting another in its place, changes the time of change, which only
/// the kernel sets.
package struct FileStamp: Hashable, Sendable {
  package var device: UInt64
  package var inode: UInt64
  /// Nanoseconds since 1970, as the next one.
  package var modified: Int64
  package var changed: Int64

  package init(device: UInt64, inode: UInt64, modified: Int64, changed: Int64) {
    self.device = device
    self.inode = inode
    self.modified = modified
    self.changed = changed
  }
}
