import Base
package import Configuration
import Glibc
import HTTP
package import Uploader

/// One `endpoint` block of a `pyroscope.write`, as it will be used.
package struct EndpointSettings: Sendable {
  /// The component it belongs to: `pyroscope.write.staging`.
  package var receiver: String
  /// For messages and metrics: its name, else its URL without anything secret.
  package var title: String
  /// The same for the same place, also in the next run; names files.
  package var key: String
  package var url: String
  /// Written over labels of the same name.
  package var externalLabels: [UploadLabel]
  package var policy = RetryPolicy()
  package var options = DestinationOptions()

  /// - Parameter index: which of the component's endpoints it is.
  package init(
    _ block: DecodedBlock, of receiver: String, index: Int, externalLabels: [String: String], userAgent: String
  ) throws(UploadError) {
    self.receiver = receiver
    url = block.string("url")
    let shown = WebAddress.shown(url)
    title = block.string("name").isEmpty ? shown : block.string("name")
    self.externalLabels = externalLabels.sorted { $0.key < $1.key }.map { UploadLabel($0.key, $0.value) }
    let headers = block.map("headers")
    let tenant = headers.first { $0.key.lowercased() == "x-scope-orgid" }?.value ?? ""
    key = ContentKey.text([receiver, String(index), shown, tenant])

    policy.minimumWaitMilliseconds = UInt64(clamping: block.duration("min_backoff_period") / 1_000_000)
    policy.maximumWaitMilliseconds = max(1, UInt64(clamping: block.duration("max_backoff_period") / 1_000_000))
    let retries = block.integer("max_backoff_retries")
    policy.attempts = retries == 0 ? .max : Int(clamping: retries)
    options.retriesRateLimit = block.bool("retry_on_http_429")
    options.requestTimeoutMilliseconds = max(1, Int(clamping: block.duration("remote_timeout") / 1_000_000))
    options.connectTimeoutMilliseconds = options.requestTimeoutMilliseconds
    options.userAgent = userAgent
    options.trustAdvice = "name its authority as ca_file of its tls_config, and server_name where that is another"
    options.headers = headers.sorted { $0.key < $1.key }.map { HTTPHeader($0.key, $0.value) }
    for (name, values) in block.lists("http_headers") {
      options.headers += values.map { HTTPHeader(name, $0) }
    }
    options.maximumRedirects = block.bool("follow_redirects") ? 10 : 0
    options.connection = Self.connection(block)
    var files: [InlineFile] = []
    options.tls = try Self.tls(block.block("tls_config"), &files)
    options.authorization = try Self.authorization(block, options, &files)
    memory = files
  }

  /// Certificates that stand in the configuration itself.
  private var memory: [InlineFile] = []

  private static func connection(_ block: DecodedBlock) -> HTTPConnectionOptions {
    var connection = HTTPConnectionOptions()
    connection.allowsHTTP2 = block.has("enable_http2") ? block.bool("enable_http2") : true
    connection.proxy = HTTPConnectionOptions.Proxy(
      fromEnvironment: block.bool("proxy_from_environment"), url: block.string("proxy_url"), except: block.string("no_proxy"))
    for (name, values) in block.lists("proxy_connect_header") {
      connection.proxyHeaders += values.map { HTTPHeader(name, $0) }
    }
    return connection
  }

  private static func tls(_ block: DecodedBlock?, _ files: inout [InlineFile]) throws(UploadError) -> TLSOptions {
    var tls = TLSOptions()
    guard let block else { return tls }
    func file(_ name: String) throws(UploadError) -> String? {
      if !block.string("\(name)_file").isEmpty { return block.string("\(name)_file") }
      guard !block.string("\(name)_pem").isEmpty else { return nil }
      guard let memory = InlineFile(Array(block.string("\(name)_pem").utf8)) else {
        throw .unreadableFile(what: "\(name)_pem", SystemCallError(call: "memfd_create", path: "memory", code: ENOMEM))
      }
      files.append(memory)
      return memory.path
    }
    tls.authorityFile = try file("ca")
    tls.certificateFile = try file("cert")
    tls.keyFile = try file("key")
    tls.isInsecure = block.bool("insecure_skip_verify")
    tls.serverName = block.string("server_name").isEmpty ? nil : block.string("server_name")
    tls.minimumVersion = TLSOptions.Version(named: block.string("min_version"))
    return tls
  }

  private static func secret(_ block: DecodedBlock, _ name: String) -> Secret {
    let file = block.string("\(name)_file")
    return file.isEmpty ? .value(block.string(name)) : .file(file)
  }

  private static func authorization(
    _ block: DecodedBlock, _ options: DestinationOptions, _ files: inout [InlineFile]
  ) throws(UploadError) -> (any Authorization)? {
    if let basic = block.block("basic_auth") {
      return FixedAuthorization.basic(user: secret(basic, "username"), password: secret(basic, "password"))
    }
    if let other = block.block("authorization") {
      return FixedAuthorization.scheme(other.string("type"), secret(other, "credentials"))
    }
    if !block.string("bearer_token").isEmpty || !block.string("bearer_token_file").isEmpty {
      return FixedAuthorization.scheme("Bearer", secret(block, "bearer_token"))
    }
    guard let oauth = block.block("oauth2") else { return nil }
    var settings = OAuth2.Settings()
    settings.clientID = oauth.string("client_id")
    settings.clientSecret = secret(oauth, "client_secret")
    settings.tokenURL = oauth.string("token_url")
    settings.scopes = oauth.strings("scopes")
    settings.parameters = oauth.map("endpoint_params").map { ($0.key, $0.value) }
    settings.timeoutMilliseconds = options.requestTimeoutMilliseconds
    let tls = try tls(oauth.block("tls_config"), &files)
    do throws(HTTPError) {
      return OAuth2(settings, transport: try CurlTransport(tls: tls, connection: connection(oauth)))
    } catch { throw .noLibrary(error) }
  }
}
