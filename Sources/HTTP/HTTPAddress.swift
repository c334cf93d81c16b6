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

  private static func parts(_ url: String) -> (scheme: Substring, authority: Substring, rest: Substring) {
    let start = url.firstRange(of: "://")?.upperBound ?? url.startIndex
    let slash = url[start...].firstIndex { $0 == "/" || $0 == "?" || $0 == "#" } ?? url.endIndex
    var authority = url[start..<slash]
    if let at = authority.lastIndex(of: "@") { authority = authority[authority.index(after: at)...] }
    return (url[..<start], authority, url[slash...])
  }
}
