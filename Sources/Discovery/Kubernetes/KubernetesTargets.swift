import Targets

/// Makes targets of a cluster's objects, with the labels that Prometheus' `kubernetes_sd_configs` documents.
struct KubernetesTargets {
  typealias Objects = [KubernetesResource: [String: KubernetesObject]]

  private let options: KubernetesOptions
  private let objects: Objects

  init(_ options: KubernetesOptions, _ objects: Objects) {
    self.options = options
    self.objects = objects
  }

  /// Sorted by namespace and name of the objects; those of one as they stand in it.
  func make() -> Found {
    var found = Found([])
    for key in own.keys.sorted() {
      switch own[key] {
      case .pod(let pod): found.targets += targets(of: pod)
      case .node(let node): if let labels = node.target { found.targets.append(LabelSet(labels)) }
      case .service(let service):
        let common = service.labels + namespaceLabels(key.prefix { $0 != "/" })
        found.targets += service.ports.map { LabelSet(common + $0) }
      case .endpoints(let endpoints): found.targets += targets(of: endpoints)
      case .slice(let slice): found.targets += targets(of: slice)
      case .ingress(let common, let own):
        let common = common + namespaceLabels(key.prefix { $0 != "/" })
        found.targets += own.map { LabelSet(common + $0) }
      case .namespace, nil: break
      }
    }
    return found
  }

  private var own: [String: KubernetesObject] {
    switch options.role {
    case .node: objects[.nodes] ?? [:]
    case .pod: objects[.pods] ?? [:]
    case .service: objects[.services] ?? [:]
    case .endpoints: objects[.endpoints] ?? [:]
    case .endpointslice: objects[.endpointslices] ?? [:]
    case .ingress: objects[.ingresses] ?? [:]
    }
  }

  // MARK: What is attached

  private func namespaceLabels(_ name: some StringProtocol) -> [LabelSet.Label] {
    guard options.attachesNamespace, case .namespace(let labels) = objects[.namespaces]?["/" + name] else { return [] }
    return labels
  }

  /// `nil` when no such node is known.
  private func nodeLabels(_ name: String) -> [LabelSet.Label]? {
    guard case .node(let node) = objects[.nodes]?["/" + name] else { return nil }
    return node.attached
  }

  // MARK: Pods

  private func targets(of pod: KubernetesObject.Pod) -> [LabelSet] {
    // One that begins or was evicted has no address.
    if pod.address.isEmpty { return [] }
    var common = pod.labels + [.kubernetes("namespace", pod.namespace)]
    if options.attachesNode {
      // Selectors of nodes choose pods by leaving their nodes out.
      guard let labels = nodeLabels(pod.nodeName) else { return [] }
      common += labels
    }
    common += namespaceLabels(pod.namespace)
    return pod.containers.flatMap { container in
      let labels = common + Self.labels(of: container) + [.kubernetes("pod_container_id", container.id)]
      if container.ports.isEmpty { return [LabelSet(labels + [.address(pod.address)])] }
      return container.ports.map { port in
        LabelSet(labels + Self.labels(of: port, port.networkProtocol) + [.address(HostPort.joined(pod.address, port.number))])
      }
    }
  }

  private static func labels(of container: KubernetesObject.Container) -> [LabelSet.Label] {
    [
      .kubernetes("pod_container_name", container.name), .kubernetes("pod_container_image", container.image),
      .kubernetes("pod_container_init", container.isInit ? "true" : "false"),
    ]
  }

  private static func labels(of port: KubernetesObject.Port, _ networkProtocol: String) -> [LabelSet.Label] {
    [
      .kubernetes("pod_container_port_name", port.name), .kubernetes("pod_container_port_number", String(port.number)),
      .kubernetes("pod_container_port_protocol", networkProtocol),
    ]
  }

  // MARK: Endpoints and their slices

  private func targets(of endpoints: KubernetesObject.EndpointsObject) -> [LabelSet] {
    var common = endpoints.labels
    if case .service(let service) = objects[.services]?["\(endpoints.namespace)/\(endpoints.name)"] {
      // The endpoints' own labels win.
      common = service.labels + common
    }
    var group = EndpointGroup(common: common + namespaceLabels(endpoints.namespace))
    for subset in endpoints.subsets {
      for port in subset.ports {
        for (list, ready) in [(subset.ready, "true"), (subset.notReady, "false")] {
          for endpoint in list {
            for address in endpoint.addresses { add(address, endpoint, port, [.kubernetes("endpoint_ready", ready)], to: &group) }
          }
        }
      }
    }
    return group.targets + restOfPods(group)
  }

  private func targets(of slice: KubernetesObject.EndpointSlice) -> [LabelSet] {
    var common = slice.labels
    if let name = slice.service, case .service(let service) = objects[.services]?["\(slice.namespace)/\(name)"] {
      common += service.labels
      // The other slice has the same endpoints.
      if !service.primaryFamily.isEmpty, service.primaryFamily != slice.addressType { return [] }
    }
    var group = EndpointGroup(common: common + namespaceLabels(slice.namespace))
    for endpoint in slice.endpoints {
      for port in slice.ports {
        for address in endpoint.addresses { add(address, endpoint, port, [], to: &group) }
      }
    }
    return group.targets + restOfPods(group)
  }

  /// The targets of one object, and which ports of which pods are among them.
  private struct EndpointGroup {
    let common: [LabelSet.Label]
    var targets: [LabelSet] = []
    /// In the order they are first seen.
    var pods: [(key: String, pod: KubernetesObject.Pod, ports: Set<Int>)] = []
    var places: [String: Int] = [:]
    init(common: [LabelSet.Label]) { self.common = common }
  }

  private func add(
    _ address: String, _ endpoint: KubernetesObject.Endpoint, _ port: KubernetesObject.EndpointPort, _ more: [LabelSet.Label],
    to group: inout EndpointGroup
  ) {
    var labels = port.labels + endpoint.labels + more
    labels.append(.address(port.number.map { HostPort.joined(address, $0) } ?? address))
    if options.attachesNode, let name = endpoint.nodeName { labels += nodeLabels(name) ?? [] }
    guard let key = endpoint.pod, case .pod(let pod) = objects[.pods]?[key] else {
      group.targets.append(LabelSet(group.common + labels))
      return
    }
    let place = group.places[key] ?? group.pods.count
    if place == group.pods.count {
      group.places[key] = place
      group.pods.append((key, pod, []))
    }
    labels += pod.labels
    if let number = port.number {
      group.pods[place].ports.insert(number)
      for container in pod.containers {
        guard let own = container.ports.first(where: { $0.number == number }) else { continue }
        labels += Self.labels(of: container) + Self.labels(of: own, port.networkProtocol)
      }
    }
    group.targets.append(LabelSet(group.common + labels))
  }

  /// The ports of those pods that no endpoint leads to.
  private func restOfPods(_ group: EndpointGroup) -> [LabelSet] {
    group.pods.flatMap { _, pod, ports -> [LabelSet] in
      if pod.address.isEmpty { return [] }
      return pod.containers.flatMap { container in
        container.ports.filter { !ports.contains($0.number) }.map { port in
          LabelSet(
            group.common + Self.labels(of: container) + Self.labels(of: port, port.networkProtocol)
              + [.address(HostPort.joined(pod.address, port.number))] + pod.labels)
        }
      }
    }
  }
}
