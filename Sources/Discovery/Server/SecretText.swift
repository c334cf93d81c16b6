import Base

/// Something that is never printed: itself, or the file that holds it, which is read anew each time it is needed.
package enum SecretText: Hashable, Sendable {
  case text(String)
  case file(String)

  private static let maximumBytes = 1 << 16

  /// - Parameter what: how the configuration calls it.
  func read(_ what: String) throws(DiscoveryError) -> String {
    switch self {
    case .text(let text): return text
    case .file(let path):
      let bytes: [UInt8]
      do throws(SystemCallError) {
        bytes = try contents(of: path, limit: Self.maximumBytes)
      } catch {
        throw DiscoveryError("\(what): \(error)")
      }
      // As Prometheus reads them: white space around is no part of it.
      let isSpace: (UInt8) -> Bool = { $0 == 0x20 || (0x09...0x0d).contains($0) }
      let text = Array(bytes.drop(while: isSpace).reversed().drop(while: isSpace).reversed())
      guard text.allSatisfy({ $0 >= 0x20 && $0 != 0x7f }) else { throw DiscoveryError("\(what): \(path) holds more than one line") }
      return String(decoding: text, as: UTF8.self)
    }
  }
}

extension SecretText: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  package var description: String {
    switch self {
    case .text: "(secret)"
    case .file(let path): path
    }
  }
  package var debugDescription: String { description }
  package var customMirror: Mirror { Mirror(self, children: []) }
}
