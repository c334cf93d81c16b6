import Base
import Targets

/// What targets are made of, of one object of the API. Labels are made when it arrives: it changes less often than it is asked for.
enum KubernetesObject: Hashable, Sendable {
  case pod(Pod)
  case node(Node)
  case service(Service)
  case endpoints(EndpointsObject)
  case slice(EndpointSlice)
  case ingress(targets: [LabelSet.Label], own: [[LabelSet.Label]])
  case namespace([LabelSet.Label])

  struct Pod: Hashable, Sendable {
    var namespace: String
    var nodeName: String
    var address: String
    /// Of the pod; without the namespace.
    var labels: [LabelSet.Label]
    /// Those of the pod, then those that begin it.
    var containers: [Container]
  }
  struct Container: Hashable, Sendable {
    var name: String
    var id: String
    var image: String
    var isInit: Bool
    var ports: [Port]
  }
  struct Port: Hashable, Sendable {
    var name: String
    var number: Int
    var networkProtocol: String
  }
  struct Node: Hashable, Sendable {
    /// For what runs on it.
    var attached: [LabelSet.Label]
    /// Its own; `nil` when it has no address.
    var target: [LabelSet.Label]?
  }
  struct Service: Hashable, Sendable {
    var labels: [LabelSet.Label]
    var ports: [[LabelSet.Label]]
    /// The address type of its slices that count, when it has two; else empty.
    var primaryFamily: String
  }
  struct Endpoint: Hashable, Sendable {
    var addresses: [String]
    var labels: [LabelSet.Label]
    /// Namespace and name of the pod it leads to.
    var pod: String?
    /// Of the node that it is on, or that it is.
    var nodeName: String?
  }
  struct EndpointPort: Hashable, Sendable {
    var labels: [LabelSet.Label]
    var number: Int?
    var networkProtocol: String
  }
  struct EndpointsObject: Hashable, Sendable {
    var namespace: String
    var name: String
    var labels: [LabelSet.Label]
    /// Ports and what listens there.
    var subsets: [Subset]
    struct Subset: Hashable, Sendable {
      var ports: [EndpointPort]
      var ready: [Endpoint]
      var notReady: [Endpoint]
    }
  }
  struct EndpointSlice: Hashable, Sendable {
    var namespace: String
    /// Its service's name.
    var service: String?
    var addressType: String
    var labels: [LabelSet.Label]
    var ports: [EndpointPort]
    var endpoints: [Endpoint]
  }
}
