import Base

#if canImport(Glibc)
  import Glibc
#else
  import Musl
#endif

/// Something that is never printed: itself, or the file it is in, which is read again each time it is needed.
package enum Secret: Hashable, Sendable {
  case value(String)
  case file(String)

  private static let maximumBytes = 1 << 16

  /// - Parameter what: how the configuration calls it, for the error.
  func text(_ what: String) throws(UploadError) -> String {
    switch self {
    case .value(let text): return text
    case .file(let path):
      let bytes: [UInt8]
      do { bytes = try contents(of: path, limit: Self.maximumBytes) } catch { throw .unreadableFile(what: what, error) }
      // As Prometheus reads them: white space around is no part of it.
      let isSpace: (UInt8) -> Bool = { $0 == 0x20 || (0x09...0x0d).contains($0) }
      let trimmed = bytes.drop(while: isSpace).reversed().drop(while: isSpace).reversed()
      return String(decoding: Array(trimmed), as: UTF8.self)
    }
  }
}

extension Secret: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  package var description: String {
    switch self {
    case .value: "(secret)"
    case .file(let path): path
    }
  }
  package var debugDescription: String { description }
  package var customMirror: Mirror { Mirror(self, children: []) }
}

// glibc declares `memfd_create(2)` only to C that asks for GNU's extensions.
@_silgen_name("memfd_create") private func createMemoryFile(_ name: UnsafePointer<CChar>, _ flags: UInt32) -> Int32
/// `MFD_CLOEXEC` of `linux/memfd.h`.
private let closingOnExec: UInt32 = 1

/// Bytes as a file that no disk holds, for libraries that take paths only; gone with the object.
package final class MemoryFile: Sendable {
  private let file: OwnedDescriptor
  package var path: String { "/proc/\(getpid())/fd/\(file.rawValue)" }

  package init(_ bytes: [UInt8], what: String) throws(UploadError) {
    // Safe: a literal, NUL-terminated.
    let descriptor = unsafe "pyrorec".withCString { unsafe createMemoryFile($0, closingOnExec) }
    guard descriptor >= 0 else {
      throw .unreadableFile(what: what, SystemCallError(call: "memfd_create", path: "memory", code: errno))
    }
    file = OwnedDescriptor(owning: descriptor)
    // Safe: bytes have no padding between them.
    do { try file.write(unsafe bytes.span.bytes, path: "memory") } catch { throw .unreadableFile(what: what, error) }
  }
}
