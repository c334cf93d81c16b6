import Base
import Glibc
import HTTP

/// How a cluster's API is reached. What it says so with (tokens, certificates, the file itself) is read anew for each connection.
package protocol ClusterAccess: Sendable {
  func connect() throws(DiscoveryError) -> ServerAccess
  /// The namespace that this program runs in; `nil` when there is none to know of.
  func ownNamespace() throws(DiscoveryError) -> String?
}

extension ClusterAccess {
  package func ownNamespace() throws(DiscoveryError) -> String? { nil }
}

/// What the ways to a cluster may ask of the machine.
package struct ClusterEnvironment: Sendable {
  package var variable: @Sendable (String) -> String?
  /// All of them, `NAME=VALUE` each.
  package var variables: @Sendable () -> [String] = { [] }
  /// Where the kubelet puts a pod's credentials.
  package var serviceAccountPath = "/var/run/secrets/kubernetes.io/serviceaccount"
  /// Seconds since 1970.
  package var now: @Sendable () -> Int64
  package var runProgram: @Sendable (ProgramRun) throws(DiscoveryError) -> [UInt8]

  package init(
    variable: @escaping @Sendable (String) -> String?, now: @escaping @Sendable () -> Int64,
    runProgram: @escaping @Sendable (ProgramRun) throws(DiscoveryError) -> [UInt8]
  ) {
    self.variable = variable
    self.now = now
    self.runProgram = runProgram
  }

  /// This machine.
  package static let live: ClusterEnvironment = {
    var environment = machine
    // As this program was started: it changes nothing there.
    environment.variables = {
      ((try? contents(of: "/proc/self/environ", limit: 1 << 22)) ?? []).split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
    }
    return environment
  }()

  private static let machine = ClusterEnvironment(
    // Safe: the text is copied at once, and nothing here changes the environment.
    variable: { unsafe getenv($0).map { unsafe String(cString: $0) } },
    now: { Int64(time(nil)) },
    runProgram: { (run) throws(DiscoveryError) in try run.perform() })
}

/// `api_server` and the HTTP client arguments.
struct FixedCluster: ClusterAccess {
  private let access: ServerAccess
  init(_ access: ServerAccess) { self.access = access }
  func connect() throws(DiscoveryError) -> ServerAccess { access }
}

/// What a pod finds in itself: https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/
struct InCluster: ClusterAccess {
  private let environment: ClusterEnvironment
  init(_ environment: ClusterEnvironment) { self.environment = environment }

  func connect() throws(DiscoveryError) -> ServerAccess {
    guard let host = environment.variable("KUBERNETES_SERVICE_HOST"), !host.isEmpty,
      let port = environment.variable("KUBERNETES_SERVICE_PORT"), let number = Int(port), (1...65535).contains(number)
    else {
      throw DiscoveryError(
        "this is no pod of a cluster: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set. Elsewhere give kubeconfig_file, or api_server"
      )
    }
    let directory = environment.serviceAccountPath
    var access = ServerAccess(address: "https://" + HostPort.joined(host, number))
    // The kubelet writes a new token before the old one ends.
    access.authorization = FixedAuthorization.scheme("Bearer", .file(directory + "/token"))
    _ = try access.authorization.headers()
    access.tls.authorityFile = directory + "/ca.crt"
    // libcurl would only say that something is wrong with it.
    if unsafe Glibc.access(directory + "/ca.crt", R_OK) != 0 {
      throw DiscoveryError("\(SystemCallError(call: "open", path: directory + "/ca.crt", code: errno))")
    }
    return access
  }

  func ownNamespace() throws(DiscoveryError) -> String? {
    let name = try SecretText.file(environment.serviceAccountPath + "/namespace").read("the pod's namespace")
    if name.isEmpty { throw DiscoveryError("\(environment.serviceAccountPath)/namespace is empty") }
    return name
  }
}
