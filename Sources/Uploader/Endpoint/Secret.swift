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
