import Base
import Configuration
import HTTP

/// The cluster of a kubeconfig file, which is read anew for each connection.
final class KubeconfigCluster: ClusterAccess {
  private static let limit = YAMLReader.maximumBytes + 1
  private let path: String
  private let environment: ClusterEnvironment
  private let plugin = ExecCredentials()

  init(path: String, _ environment: ClusterEnvironment) {
    self.path = path
    self.environment = environment
  }

  func connect() throws(DiscoveryError) -> ServerAccess {
    let bytes: [UInt8]
    do throws(SystemCallError) { bytes = try contents(of: path, limit: Self.limit) } catch { throw DiscoveryError("\(error)") }
    let config = try Kubeconfig(bytes, path: path)
    var access = try config.access()
    if let exec = config.user["exec"], exec != .null {
      let run = try ExecCredentials.Plugin(exec, config, environment)
      // Asked now for the certificate that it may give; the token is asked for with each request.
      let credential = try plugin.credential(run, environment)
      if let certificate = credential.certificate, let key = credential.key {
        access.tls.certificateFile = try access.keep(Array(certificate.utf8), as: "clientCertificateData")
        access.tls.keyFile = try access.keep(Array(key.utf8), as: "clientKeyData")
      }
      access.authorization = ExecAuthorization(credentials: plugin, plugin: run, environment: environment)
    }
    return access
  }
}

/// The token of an exec plugin, as long as it holds.
struct ExecAuthorization: ServerAuthorization {
  let credentials: ExecCredentials
  let plugin: ExecCredentials.Plugin
  let environment: ClusterEnvironment

  func headers() throws(DiscoveryError) -> [HTTPHeader] {
    let token = try credentials.credential(plugin, environment).token
    return token.map { [HTTPHeader("Authorization", "Bearer \($0)")] } ?? []
  }

  func wasRefused() { credentials.forget() }
}
