/// The parts of a URL that say where to send; a user name and password in it are taken out and never shown.
package struct DestinationURL: Hashable, Sendable {
  /// Lower case, without the colon.
  package let scheme: String
  /// Without brackets; empty for files.
  package let host: String
  /// Without the user name and password, and without a `/` at the end.
  package let text: String
  /// Decoded; `nil` when there was none.
  package let user: String?
  package let password: String?
  /// Percent decoded; for `file`, the directory.
  package let path: String

  package init(_ url: String) throws(UploadError) {
    // Whatever goes wrong, a password is not repeated.
    func invalid(_ why: String) -> UploadError {
      let shown = url.split(separator: "@", omittingEmptySubsequences: false).last.map(String.init) ?? url
      return .invalidURL(url.contains("@") ? "…@" + shown : shown, why: why)
    }
    guard url.unicodeScalars.allSatisfy({ $0.value > 0x20 && $0.value != 0x7f }) else {
      throw invalid("a URL has no spaces or control characters; write them as %20")
    }
    guard let colon = url.firstRange(of: "://") else {
      throw invalid("a URL starts with http://, https:// or file://")
    }
    scheme = url[..<colon.lowerBound].lowercased()
    var rest = url[colon.upperBound...]
    guard !rest.contains("?"), !rest.contains("#") else { throw invalid("a destination has no ? or # part") }
    let slash = rest.firstIndex(of: "/") ?? rest.endIndex
    var authority = rest[..<slash]
    rest = rest[slash...]
    if let at = authority.lastIndex(of: "@") {
      let credentials = authority[..<at].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
      user = credentials.first.flatMap { Self.decoded($0) }
      password = credentials.count > 1 ? Self.decoded(credentials[1]) : nil
      authority = authority[authority.index(after: at)...]
    } else {
      user = nil
      password = nil
    }
    host = Self.host(authority)
    guard let decoded = Self.decoded(rest) else { throw invalid("a % is followed by two hexadecimal digits") }
    while rest.hasSuffix("/") { rest = rest.dropLast() }
    path = decoded
    text = scheme + "://" + authority + rest
    if scheme == "file" {
      guard authority.isEmpty || authority == "localhost", decoded.hasPrefix("/") else {
        throw invalid("a directory is written file:///DIR, with three slashes")
      }
    } else if host.isEmpty {
      throw invalid("it names no host")
    }
  }

  private static func host(_ authority: Substring) -> String {
    if authority.hasPrefix("["), let end = authority.firstIndex(of: "]") {
      return String(authority[authority.index(after: authority.startIndex)..<end]).lowercased()
    }
    return String(authority.prefix { $0 != ":" }).lowercased()
  }

  private static func decoded(_ text: Substring) -> String? {
    var bytes: [UInt8] = []
    var rest = text.utf8.makeIterator()
    while let byte = rest.next() {
      guard byte == UInt8(ascii: "%") else {
        bytes.append(byte)
        continue
      }
      guard let first = rest.next(), let second = rest.next(),
        let high = Character(Unicode.Scalar(first)).hexDigitValue,
        let low = Character(Unicode.Scalar(second)).hexDigitValue
      else { return nil }
      bytes.append(UInt8(high << 4 | low))
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
