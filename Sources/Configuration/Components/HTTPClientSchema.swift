/// How a component reaches a server over HTTP: the arguments and blocks that all of them share.
enum HTTPClientSchema {
  static let proxyArguments: [BlockSchema.Argument] = [
    BlockSchema.optional("proxy_url", .string), BlockSchema.optional("no_proxy", .string, .string("")),
    BlockSchema.optional("proxy_from_environment", .bool, .bool(false)),
    BlockSchema.optional("proxy_connect_header", .map(.list(.secret))),
  ]

  static let arguments: [BlockSchema.Argument] =
    [
      BlockSchema.optional("bearer_token", .secret), BlockSchema.optional("bearer_token_file", .string),
      BlockSchema.optional("enable_http2", .bool, .bool(true)), BlockSchema.optional("follow_redirects", .bool, .bool(true)),
      BlockSchema.optional("http_headers", .map(.list(.secret))),
    ] + proxyArguments

  static let tls = BlockSchema(
    arguments: [
      BlockSchema.optional("ca_pem", .string), BlockSchema.optional("ca_file", .string),
      BlockSchema.optional("cert_pem", .string), BlockSchema.optional("cert_file", .string),
      BlockSchema.optional("key_pem", .secret), BlockSchema.optional("key_file", .string),
      BlockSchema.optional("server_name", .string), BlockSchema.optional("insecure_skip_verify", .bool, .bool(false)),
      BlockSchema.optional("min_version", .word(["", "TLS10", "TLS11", "TLS12", "TLS13"])),
    ],
    validate: { block in
      func isSet(_ name: String) -> Bool { !block.string(name).isEmpty }
      var problems: [BlockSchema.Problem] = []
      for kind in ["ca", "cert", "key"] where isSet("\(kind)_pem") && isSet("\(kind)_file") {
        problems.append(.init("at most one of \(kind)_pem and \(kind)_file must be configured", at: "\(kind)_file"))
      }
      let hasCertificate = isSet("cert_pem") || isSet("cert_file")
      let hasKey = isSet("key_pem") || isSet("key_file")
      if hasCertificate, !hasKey {
        problems.append(.init("exactly one of key_pem or key_file must be configured when a client certificate is configured"))
      }
      if hasKey, !hasCertificate {
        problems.append(.init("exactly one of cert_pem or cert_file must be configured when a client key is configured"))
      }
      return problems
    })

  static let blocks: [BlockSchema.Nested] = [
    BlockSchema.Nested(
      name: "basic_auth",
      schema: BlockSchema(
        arguments: [
          BlockSchema.optional("username", .string), BlockSchema.optional("username_file", .string),
          BlockSchema.optional("password", .secret), BlockSchema.optional("password_file", .string),
        ],
        validate: { block in
          ["username", "password"].filter { !block.string($0).isEmpty && !block.string("\($0)_file").isEmpty }.map {
            .init("at most one of basic_auth \($0) & \($0)_file must be configured", at: "\($0)_file")
          }
        })),
    BlockSchema.Nested(
      name: "authorization",
      schema: BlockSchema(
        arguments: [
          BlockSchema.optional("type", .string, .string("Bearer")), BlockSchema.optional("credentials", .secret),
          BlockSchema.optional("credentials_file", .string),
        ],
        validate: { block in
          var problems: [BlockSchema.Problem] = []
          if block.string("type").lowercased() == "basic" {
            problems.append(.init("authorization type cannot be set to \"basic\", use \"basic_auth\" instead", at: "type"))
          }
          if !block.string("credentials").isEmpty, !block.string("credentials_file").isEmpty {
            problems.append(.init("at most one of authorization credentials & credentials_file must be configured", at: "credentials_file"))
          }
          return problems
        })),
    BlockSchema.Nested(
      name: "oauth2",
      schema: BlockSchema(
        arguments: [
          BlockSchema.optional("client_id", .string), BlockSchema.optional("client_secret", .secret),
          BlockSchema.optional("client_secret_file", .string), BlockSchema.optional("scopes", .list(.string)),
          BlockSchema.optional("token_url", .string), BlockSchema.optional("endpoint_params", .map(.string)),
        ] + proxyArguments,
        blocks: [BlockSchema.Nested(name: "tls_config", schema: tls)],
        validate: { block in
          var problems: [BlockSchema.Problem] = []
          if block.string("client_id").isEmpty { problems.append(.init("oauth2 client_id must be configured")) }
          if block.string("token_url").isEmpty { problems.append(.init("oauth2 token_url must be configured")) }
          let secrets = ["client_secret", "client_secret_file"].count { !block.string($0).isEmpty }
          if secrets == 0 { problems.append(.init("either oauth2 client_secret or client_secret_file must be configured")) }
          if secrets == 2 {
            problems.append(.init("at most one of oauth2 client_secret & client_secret_file must be configured", at: "client_secret_file"))
          }
          return problems + validateProxy(block)
        })),
    BlockSchema.Nested(name: "tls_config", schema: tls),
  ]

  static func validate(_ block: DecodedBlock) -> [BlockSchema.Problem] {
    let ways =
      ["basic_auth", "authorization", "oauth2"].count { block.block($0) != nil }
      + ["bearer_token", "bearer_token_file"].count { !block.string($0).isEmpty }
    var problems: [BlockSchema.Problem] = []
    if ways > 1 {
      problems.append(.init("at most one of basic_auth, authorization, oauth2, bearer_token & bearer_token_file must be configured"))
    }
    return problems + validateProxy(block)
  }

  private static func validateProxy(_ block: DecodedBlock) -> [BlockSchema.Problem] {
    let hasProxy = !block.string("proxy_url").isEmpty
    if block.bool("proxy_from_environment"), hasProxy {
      return [.init("if proxy_from_environment is configured, proxy_url must not be configured", at: "proxy_url")]
    }
    if block.bool("proxy_from_environment"), !block.string("no_proxy").isEmpty {
      return [.init("if proxy_from_environment is configured, no_proxy must not be configured", at: "no_proxy")]
    }
    if !block.string("no_proxy").isEmpty, !hasProxy {
      return [.init("if no_proxy is configured, proxy_url must also be configured", at: "no_proxy")]
    }
    if block.has("proxy_connect_header"), !hasProxy, !block.bool("proxy_from_environment") {
      return [
        .init(
          "if proxy_connect_header is configured, proxy_url or proxy_from_environment must also be configured", at: "proxy_connect_header")
      ]
    }
    if hasProxy, !WebAddress.isURL(block.string("proxy_url")) {
      return [.init("proxy_url is no URL with a scheme and a host", at: "proxy_url")]
    }
    return []
  }
}

/// As much of a URL as has to be checked and shown.
package enum WebAddress {
  static func isURL(_ text: String) -> Bool {
    guard let colon = text.utf8.firstIndex(of: UInt8(ascii: ":")) else { return false }
    let scheme = text.utf8[..<colon]
    let rest = text.utf8[colon...].dropFirst()
    guard let first = scheme.first, (0x41...0x5a).contains(first & 0xdf), !text.utf8.contains(where: { $0 <= 0x20 || $0 == 0x7f }) else {
      return false
    }
    return rest.starts(with: "//".utf8) && rest.dropFirst(2).first.map { $0 != UInt8(ascii: "/") } ?? false
  }

  /// Without a password and without a query, which may hold a token.
  package static func shown(_ text: String) -> String {
    var shown = text.prefix { $0 != "?" }
    if let slashes = shown.firstRange(of: "://") {
      let authority = shown[slashes.upperBound...].prefix { $0 != "/" }
      if let at = authority.lastIndex(of: "@") { shown.replaceSubrange(authority.startIndex..<at, with: "(secret)") }
    }
    return String(shown)
  }
}
