import HTTP

/// A list of the API that can be watched.
enum KubernetesResource: String, CaseIterable, Hashable, Sendable {
  case pods, nodes, services, endpoints, endpointslices, ingresses, namespaces

  var isNamespaced: Bool { self != .nodes && self != .namespaces }

  /// Where its API lies, newest first: an older one serves where the newer is not found.
  var roots: [String] {
    switch self {
    case .endpointslices: ["/apis/discovery.k8s.io/v1", "/apis/discovery.k8s.io/v1beta1"]
    case .ingresses: ["/apis/networking.k8s.io/v1", "/apis/networking.k8s.io/v1beta1"]
    default: ["/api/v1"]
    }
  }

  /// - Parameter namespace: empty for all of them.
  func path(root: String, namespace: String) -> String {
    isNamespaced && !namespace.isEmpty
      ? "\(root)/namespaces/\(PercentEncoding.encode(namespace))/\(rawValue)" : "\(root)/\(rawValue)"
  }

  /// The role whose selectors hold for it.
  var role: KubernetesOptions.Role? {
    switch self {
    case .pods: .pod
    case .nodes: .node
    case .services: .service
    case .endpoints: .endpoints
    case .endpointslices: .endpointslice
    case .ingresses: .ingress
    case .namespaces: nil
    }
  }
}

extension KubernetesOptions {
  /// What is listed and watched for the role.
  var resources: [KubernetesResource] {
    var resources: [KubernetesResource] =
      switch role {
      case .node: [.nodes]
      case .pod: [.pods]
      case .service: [.services]
      case .endpoints: [.endpoints, .services, .pods]
      case .endpointslice: [.endpointslices, .services, .pods]
      case .ingress: [.ingresses]
      }
    if attachesNode, [.pod, .endpoints, .endpointslice].contains(role) { resources.append(.nodes) }
    if attachesNamespace, role != .node { resources.append(.namespaces) }
    return resources
  }
}
