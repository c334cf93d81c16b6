package import Configuration

/// What a `discovery.kubernetes` is told.
package struct KubernetesOptions: Sendable {
  package enum Role: String, CaseIterable, Sendable {
    case node, pod, service, endpoints, endpointslice, ingress
  }
  package struct Selector: Hashable, Sendable {
    package var label = ""
    package var field = ""
    package init() {}
  }

  package var role: Role
  package var cluster: any ClusterAccess
  /// Empty for all.
  package var namespaces: [String] = []
  /// Whether the namespace that this program runs in is one of them.
  package var includesOwnNamespace = false
  package var selectors: [Role: Selector] = [:]
  package var attachesNode = false
  package var attachesNamespace = false

  package init(_ role: Role, _ cluster: any ClusterAccess) {
    self.role = role
    self.cluster = cluster
  }

  package init(
    _ arguments: DecodedBlock, _ environment: ClusterEnvironment, by makeTransport: ServerClient.TransportMaker = ServerClient.curl
  ) throws(DiscoveryError) {
    guard let role = Role(rawValue: arguments.string("role")) else { throw DiscoveryError("there is no role \(arguments.string("role"))") }
    let server = arguments.string("api_server")
    let file = arguments.string("kubeconfig_file")
    if !server.isEmpty {
      var access = ServerAccess(address: Kubeconfig.trimmed(server))
      try access.apply(arguments, by: makeTransport)
      self.init(role, FixedCluster(access))
    } else if !file.isEmpty {
      self.init(role, KubeconfigCluster(path: file, environment))
    } else {
      self.init(role, InCluster(environment))
    }
    if let block = arguments.block("namespaces") {
      includesOwnNamespace = block.bool("own_namespace")
      namespaces = block.strings("names")
    }
    for block in arguments.blocks("selectors") {
      guard let role = Role(rawValue: block.string("role")) else { continue }
      var selector = Selector()
      selector.label = block.string("label")
      selector.field = block.string("field")
      selectors[role] = selector
    }
    attachesNode = arguments.block("attach_metadata")?.bool("node") ?? false
    attachesNamespace = arguments.block("attach_metadata")?.bool("namespace") ?? false
  }

  /// The namespaces that are asked, each once; one empty name for all of them.
  func askedNamespaces() throws(DiscoveryError) -> [String] {
    if namespaces.isEmpty, !includesOwnNamespace { return [""] }
    var names = namespaces
    if includesOwnNamespace, let own = try cluster.ownNamespace() { names.append(own) }
    var seen: Set<String> = []
    return names.filter { seen.insert($0).inserted }
  }
}
