package import Base

/// The bytes of an image or debug file, shared by everything that reads from it: a mapped file or a recorded copy in memory.
package final class ImageBytes: Sendable {
  private enum Owner: ~Copyable, Sendable {
    case file(MappedFile)
    case memory(ZeroedMemory)
  }
  private let owner: Owner
  package let byteCount: Int

  package init(_ file: consuming MappedFile) {
    byteCount = file.byteCount
    owner = .file(file)
  }

  private init(_ memory: consuming ZeroedMemory) {
    byteCount = memory.byteCount
    owner = .memory(memory)
  }

  /// A copy of `bytes`.
  package convenience init(_ bytes: [UInt8]) throws(SymbolizeError) {
    var builder = try Builder(path: "", byteCount: UInt64(bytes.count))
    builder.write(bytes, at: FileOffset(0))
    self.init(builder.memory)
  }

  /// Whether bytes were read that are not the file's, because it was shortened meanwhile: what came of them is not to be believed.
  package var isDamaged: Bool {
    switch owner {
    case .file(let file): file.isDamaged
    case .memory: false
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
