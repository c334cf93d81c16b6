/// Parts of the text of a URL.
package enum HTTPAddress {
  /// Lower case, without brackets, port, user and password; empty when there is none.
  package static func host(of url: String) -> String {
    let authority = parts(url).authority
    if authority.hasPrefix("["), let end = authority.firstIndex(of: "]") {
      return String(authority[authority.index(after: authority.startIndex)..<end]).lowercased()
    }
    return String(authority.prefix { $0 != ":" }).lowercased()
  }

  /// As it may be shown: without user, password and what follows a `?`.
  package static func shown(_ url: String) -> String {
    let parts = parts(url)
    return String(parts.scheme) + String(parts.authority) + String(parts.rest.prefix { $0 != "?" && $0 != "#" })
  }

  /// How `url` is reached when its server has to prove to be `name`: a URL that names it, where to connect to in curl's
  /// words, and the `Host` header as it would have been. `nil` for a URL without TLS.
  static func detour(of url: String, provingToBe name: String) -> (url: String, connectTo: String, host: String)? {
    let parts = parts(url)
    guard parts.scheme.lowercased() == "https://", !parts.authority.isEmpty, !name.isEmpty else { return nil }
    let bracket = parts.authority.lastIndex(of: "]") ?? parts.authority.startIndex
    let colon = parts.authority[bracket...].lastIndex(of: ":")
    let host = colon.map { parts.authority[..<$0] } ?? parts.authority
    let port = colon.map { String(parts.authority[parts.authority.index(after: $0)...]) } ?? "443"
    return ("https://\(name):\(port)\(parts.rest)", "::\(host):\(port)", String(parts.authority))
  }

  private static func parts(_ url: String) -> (scheme: Substring, authority: Substring, rest: Substring) {
    let start = url.firstRange(of: "://")?.upperBound ?? url.startIndex
    let slash = url[start...].firstIndex { $0 == "/" || $0 == "?" || $0 == "#" } ?? url.endIndex
    var authority = url[start..<slash]
    if let at = authority.lastIndex(of: "@") { authority = authority[authority.index(after: at)...] }
    return (url[..<start], authority, url[slash...])
  }
}
