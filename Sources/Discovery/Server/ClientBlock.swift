import Configuration
import HTTP

extension ServerAccess {
  /// As many redirections as Go's client follows.
  private static let redirects = 10

  /// Takes what a component's arguments say of how its server is reached: the HTTP client arguments and blocks.
  mutating func apply(_ block: DecodedBlock) throws(DiscoveryError) {
    maximumRedirects = block.bool("follow_redirects") ? Self.redirects : 0
    authorization = try Self.authorization(block)
    for (name, values) in block.lists("http_headers") { headers += values.map { HTTPHeader(name, $0) } }
    if !block.string("proxy_url").isEmpty {
      throw DiscoveryError("proxy_url is not supported for discovery; set https_proxy or http_proxy in the environment instead")
    }
    if let settings = block.block("tls_config") {
      tls.authorityFile = try file(settings, "ca")
      tls.certificateFile = try file(settings, "cert")
      tls.keyFile = try file(settings, "key")
      tls.isInsecure = settings.bool("insecure_skip_verify")
      if !settings.string("server_name").isEmpty { throw DiscoveryError("tls_config server_name is not supported for discovery") }
    }
  }

  private static func authorization(_ block: DecodedBlock) throws(DiscoveryError) -> any ServerAuthorization {
    if block.block("oauth2") != nil { throw DiscoveryError("oauth2 is not supported for discovery; use bearer_token_file") }
    if let basic = block.block("basic_auth") {
      return FixedAuthorization.basic(
        user: basic.secret("username") ?? .text(""), password: basic.secret("password") ?? .text(""))
    }
    if let own = block.block("authorization") {
      return own.secret("credentials").map { FixedAuthorization.scheme(own.string("type"), $0) } ?? .none
    }
    return block.secret("bearer_token").map { FixedAuthorization.scheme("Bearer", $0) } ?? .none
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
