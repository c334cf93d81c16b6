import Configuration
import HTTP

extension ServerAccess {
  /// As many redirections as Go's client follows.
  private static let redirects = 10

  /// Takes what a component's arguments say of how its server is reached: the HTTP client arguments and blocks.
  /// - Parameter makeTransport: for whoever gives tokens.
  mutating func apply(_ block: DecodedBlock, by makeTransport: ServerClient.TransportMaker) throws(DiscoveryError) {
    maximumRedirects = block.bool("follow_redirects") ? Self.redirects : 0
    try connect(block)
    authorization = try authorization(block, by: makeTransport)
    for (name, values) in block.lists("http_headers") { headers += values.map { HTTPHeader(name, $0) } }
  }

  /// Proxies and whom to trust, which the server that gives tokens has of its own.
  private mutating func connect(_ block: DecodedBlock) throws(DiscoveryError) {
    connection.allowsHTTP2 = block.has("enable_http2") ? block.bool("enable_http2") : true
    connection.proxy = HTTPConnectionOptions.Proxy(
      fromEnvironment: block.bool("proxy_from_environment"), url: block.string("proxy_url"), except: block.string("no_proxy"))
    connection.proxyHeaders = block.lists("proxy_connect_header").flatMap { name, values in values.map { HTTPHeader(name, $0) } }
    guard let settings = block.block("tls_config") else { return }
    tls.authorityFile = try file(settings, "ca")
    tls.certificateFile = try file(settings, "cert")
    tls.keyFile = try file(settings, "key")
    tls.isInsecure = settings.bool("insecure_skip_verify")
    tls.serverName = settings.string("server_name").isEmpty ? nil : settings.string("server_name")
    tls.minimumVersion = TLSOptions.Version(named: settings.string("min_version"))
  }

  private mutating func authorization(
    _ block: DecodedBlock, by makeTransport: ServerClient.TransportMaker
  ) throws(DiscoveryError) -> any ServerAuthorization {
    if let oauth = block.block("oauth2") { return try tokens(oauth, by: makeTransport) }
    if let basic = block.block("basic_auth") {
      return FixedAuthorization.basic(
        user: basic.secret("username") ?? .text(""), password: basic.secret("password") ?? .text(""))
    }
    if let own = block.block("authorization") {
      return own.secret("credentials").map { FixedAuthorization.scheme(own.string("type"), $0) } ?? .none
    }
    return block.secret("bearer_token").map { FixedAuthorization.scheme("Bearer", $0) } ?? .none
  }

  private mutating func tokens(
    _ oauth: DecodedBlock, by makeTransport: ServerClient.TransportMaker
  ) throws(DiscoveryError) -> TokenAuthorization {
    var settings = ClientCredentials.Settings()
    settings.clientID = oauth.string("client_id")
    let secret = oauth.secret("client_secret") ?? .text("")
    settings.clientSecret = { () throws(ClientCredentials.Failure) in
      do throws(DiscoveryError) { return try secret.read("client_secret") } catch { throw .init("\(error)") }
    }
    settings.tokenURL = oauth.string("token_url")
    settings.scopes = oauth.strings("scopes")
    settings.parameters = oauth.map("endpoint_params").sorted { $0.key < $1.key }.map { (name: $0.key, value: $0.value) }
    var server = ServerAccess(address: settings.tokenURL)
    try server.connect(oauth)
    files += server.files
    let start = ContinuousClock.now
    do throws(HTTPError) {
      return TokenAuthorization(
        credentials: ClientCredentials(settings, transport: try makeTransport(server)) {
          UInt64(max(0, (ContinuousClock.now - start) / .nanoseconds(1)))
        })
    } catch { throw DiscoveryError("\(error)") }
  }

  /// The path that is given, or one for the PEM text that is.
  private mutating func file(_ settings: DecodedBlock, _ name: String) throws(DiscoveryError) -> String? {
    let text = settings.string("\(name)_pem")
    if !text.isEmpty { return try keep(Array(text.utf8), as: "\(name)_pem") }
    let path = settings.string("\(name)_file")
    return path.isEmpty ? nil : path
  }

  /// A path for bytes that libcurl wants in a file.
  mutating func keep(_ bytes: [UInt8], as what: String) throws(DiscoveryError) -> String {
    guard let file = InlineFile(bytes) else { throw DiscoveryError("\(what): no memory for it") }
    files.append(file)
    return file.path
  }
}

extension DecodedBlock {
  /// `NAME`, or the file in `NAME_file`; `nil` for neither.
  fileprivate func secret(_ name: String) -> SecretText? {
    if !string(name).isEmpty { return .text(string(name)) }
    let path = string("\(name)_file")
    return path.isEmpty ? nil : .file(path)
  }
}
