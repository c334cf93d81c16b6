/// Whom to trust and who to be over TLS. Verification is on unless it is turned off.
package struct TLSOptions: Hashable, Sendable {
  package enum Version: Hashable, Sendable {
    case tls10, tls11, tls12, tls13

    /// - Parameter name: as configurations have it, such as `TLS13`; any other stands for the default, 1.2.
    package init(named name: String) {
      switch name {
      case "TLS10": self = .tls10
      case "TLS11": self = .tls11
      case "TLS13": self = .tls13
      default: self = .tls12
      }
    }
  }

  /// PEM; `nil` for the host's own authorities.
  package var authorityFile: String?
  /// PEM.
  package var certificateFile: String?
  /// PEM; `nil` when the key is in `certificateFile`.
  package var keyFile: String?
  /// Takes any certificate, of anyone.
  package var isInsecure = false
  /// The name the server has to prove, also told to it; `nil` for the one in the URL.
  package var serverName: String?
  /// The oldest version taken.
  package var minimumVersion = Version.tls12
  package init() {}
}

/// How connections are made.
package struct HTTPConnectionOptions: Hashable, Sendable {
  package enum Proxy: Hashable, Sendable {
    /// What `http_proxy`, `https_proxy` and `no_proxy` say.
    case environment
    case none
    /// `except`: hosts that are reached without it, separated by commas.
    case url(String, except: String)

    /// As configurations choose: the environment before an address, and none where neither is asked for.
    package init(fromEnvironment: Bool, url: String, except hosts: String) {
      self = fromEnvironment ? .environment : url.isEmpty ? .none : .url(url, except: hosts)
    }
  }
  package var proxy = Proxy.environment
  /// Sent to the proxy with CONNECT.
  package var proxyHeaders: [HTTPHeader] = []
  /// Whether HTTP/2 is spoken where a server offers it over TLS.
  package var allowsHTTP2 = true
  package init() {}
}
