import Base
import Configuration
import HTTP

/// The cluster and the user of a kubeconfig's current context: https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/
struct Kubeconfig {
  let path: String
  let cluster: JSONValue
  let user: JSONValue

  init(_ bytes: [UInt8], path: String) throws(DiscoveryError) {
    let root: JSONValue
    do throws(YAMLReader.Failure) {
      root = try YAMLReader.read(bytes)
    } catch {
      throw DiscoveryError("\(path): \(error)")
    }
    self.path = path
    guard let current = root["current-context"]?.text, !current.isEmpty else {
      throw DiscoveryError("\(path) has no current-context: choose one with kubectl config use-context")
    }
    func find(_ list: String, _ name: String) throws(DiscoveryError) -> JSONValue {
      let found = root[list]?.elements?.first { $0["name"]?.text == name }
      guard let found else { throw DiscoveryError("\(path) has no \(name) among its \(list)") }
      return found
    }
    let context = try find("contexts", current)["context"] ?? .null
    cluster = try find("clusters", context["cluster"]?.text ?? "")["cluster"] ?? .null
    if let name = context["user"]?.text, !name.isEmpty {
      user = try find("users", name)["user"] ?? .null
    } else {
      user = .null
    }
  }

  static func trimmed(_ address: String) -> String {
    var address = address[...]
    while address.last == "/" { address.removeLast() }
    return String(address)
  }

  /// Paths are relative to the file's directory.
  func resolved(_ name: String) -> String {
    if name.hasPrefix("/") { return name }
    guard let slash = path.lastIndex(of: "/") else { return name }
    return path[...slash] + name
  }

  /// The server, and the user as far as nothing has to be run for it.
  func access() throws(DiscoveryError) -> ServerAccess {
    guard let server = cluster["server"]?.text, !server.isEmpty else { throw DiscoveryError("\(path): the cluster has no server") }
    let isPlain = !server.contains("://") && cluster["certificate-authority-data"] == nil && cluster["certificate-authority"] == nil
    var access = ServerAccess(address: Self.trimmed(server.contains("://") ? server : (isPlain ? "http://" : "https://") + server))
    access.tls.authorityFile = try file(cluster, "certificate-authority", &access)
    access.tls.isInsecure = cluster["insecure-skip-tls-verify"] == .boolean(true)
    if let name = cluster["tls-server-name"]?.text, !name.isEmpty { access.tls.serverName = name }
    if let proxy = cluster["proxy-url"]?.text, !proxy.isEmpty { access.connection.proxy = .url(proxy, except: "") }
    access.tls.certificateFile = try file(user, "client-certificate", &access)
    access.tls.keyFile = try file(user, "client-key", &access)
    if user["auth-provider"] != nil {
      throw DiscoveryError("\(path): auth-provider is not supported; Kubernetes itself replaced it by exec plugins")
    }
    if let tokenFile = user["tokenFile"]?.text, !tokenFile.isEmpty {
      access.authorization = FixedAuthorization.scheme("Bearer", .file(resolved(tokenFile)))
    } else if let token = user["token"]?.text, !token.isEmpty {
      access.authorization = FixedAuthorization.scheme("Bearer", .text(token))
    } else if let name = user["username"]?.text, !name.isEmpty {
      access.authorization = FixedAuthorization.basic(user: .text(name), password: .text(user["password"]?.text ?? ""))
    }
    access.headers += impersonation()
    return access
  }

  private func impersonation() -> [HTTPHeader] {
    var headers: [HTTPHeader] = []
    if let name = user["as"]?.text { headers.append(HTTPHeader("Impersonate-User", name)) }
    if let uid = user["as-uid"]?.text { headers.append(HTTPHeader("Impersonate-Uid", uid)) }
    for group in user["as-groups"]?.elements ?? [] { headers.append(HTTPHeader("Impersonate-Group", group.text ?? "")) }
    return headers
  }

  /// The file of `NAME`, or one with what `NAME-data` holds.
  private func file(_ block: JSONValue, _ name: String, _ access: inout ServerAccess) throws(DiscoveryError) -> String? {
    if let data = block["\(name)-data"]?.text, !data.isEmpty {
      guard let bytes = Base64.decode(data) else { throw DiscoveryError("\(path): \(name)-data is no base64") }
      return try access.keep(bytes, as: name)
    }
    guard let file = block[name]?.text, !file.isEmpty else { return nil }
    return resolved(file)
  }
}
