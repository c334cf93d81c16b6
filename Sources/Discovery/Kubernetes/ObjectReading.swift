import Base
import Targets

extension KubernetesObject {
  /// What of an object of a resource is needed; `nil` for what is none of it.
  init?(_ object: JSONValue, _ meta: ObjectMeta, of resource: KubernetesResource) {
    switch resource {
    case .pods: self = .pod(Self.pod(object, meta))
    case .nodes: self = .node(Self.node(object, meta))
    case .services: self = .service(Self.service(object, meta))
    case .endpoints: self = .endpoints(Self.endpoints(object, meta))
    case .endpointslices: self = .slice(Self.slice(object, meta))
    case .ingresses: self = Self.ingress(object, meta)
    case .namespaces: self = .namespace(meta.metaLabels("namespace"))
    }
  }

  // MARK: Pods and nodes

  private static func pod(_ object: JSONValue, _ meta: ObjectMeta) -> Pod {
    let spec = object["spec"] ?? .null
    let status = object["status"] ?? .null
    let ready = status["conditions"]?.elements?.first { $0["type"]?.text == "Ready" }?["status"]?.text ?? "Unknown"
    let labels: [LabelSet.Label] =
      [
        .kubernetes("pod_ip", status["podIP"]?.text ?? ""), .kubernetes("pod_ready", ready.lowercased()),
        .kubernetes("pod_phase", status["phase"]?.text ?? ""), .kubernetes("pod_node_name", spec["nodeName"]?.text ?? ""),
        .kubernetes("pod_host_ip", status["hostIP"]?.text ?? ""), .kubernetes("pod_uid", meta.uid), .kubernetes("pod_name", meta.name),
        .kubernetes("pod_controller_kind", meta.controllerKind), .kubernetes("pod_controller_name", meta.controllerName),
      ] + meta.metaLabels("pod")
    return Pod(
      namespace: meta.namespace, nodeName: spec["nodeName"]?.text ?? "", address: status["podIP"]?.text ?? "", labels: labels,
      containers: containers(spec["containers"], status["containerStatuses"], isInit: false)
        + containers(spec["initContainers"], status["initContainerStatuses"], isInit: true))
  }

  private static func containers(_ list: JSONValue?, _ statuses: JSONValue?, isInit: Bool) -> [Container] {
    (list?.elements ?? []).compactMap { container in
      guard let name = container["name"]?.text else { return nil }
      let status = statuses?.elements?.first { $0["name"]?.text == name }
      let ports = (container["ports"]?.elements ?? []).compactMap { port in
        port["containerPort"]?.port.map {
          Port(name: port["name"]?.text ?? "", number: $0, networkProtocol: port["protocol"]?.text ?? "")
        }
      }
      return Container(
        name: name, id: status?["containerID"]?.text ?? "", image: container["image"]?.text ?? "", isInit: isInit, ports: ports)
    }
  }

  /// Which of a node's addresses is its own, best first.
  private static let addressTypes = ["InternalIP", "InternalDNS", "ExternalIP", "ExternalDNS", "LegacyHostIP", "Hostname"]

  private static func node(_ object: JSONValue, _ meta: ObjectMeta) -> Node {
    let attached = [.kubernetes("node_name", meta.name)] + meta.metaLabels("node")
    let status = object["status"] ?? .null
    var addresses: [(type: String, address: String)] = []
    for address in status["addresses"]?.elements ?? [] {
      guard let type = address["type"]?.text, let text = address["address"]?.text, !addresses.contains(where: { $0.type == type }) else {
        continue
      }
      addresses.append((type, text))
    }
    let own = addressTypes.lazy.compactMap { type in addresses.first { $0.type == type } }.first
    guard let own else { return Node(attached: attached, target: nil) }
    let port = status["daemonEndpoints"]?["kubeletEndpoint"]?["Port"]?.port ?? 0
    var labels: [LabelSet.Label] = [.kubernetes("node_provider_id", object["spec"]?["providerID"]?.text ?? "")]
    for condition in status["conditions"]?.elements ?? [] {
      guard let type = condition["type"]?.text else { continue }
      labels.append(
        .kubernetes("node_condition_" + LabelName.sanitized(type.lowercased()), (condition["status"]?.text ?? "").lowercased()))
    }
    labels += attached
    labels += addresses.map { .kubernetes("node_address_" + LabelName.sanitized($0.type), $0.address) }
    labels += [LabelSet.Label(name: "instance", value: meta.name), .address(HostPort.joined(own.address, port))]
    return Node(attached: attached, target: labels)
  }

  // MARK: Services and ingresses

  private static func service(_ object: JSONValue, _ meta: ObjectMeta) -> Service {
    let spec = object["spec"] ?? .null
    let type = spec["type"]?.text ?? ""
    let ports = (spec["ports"]?.elements ?? []).compactMap { port -> [LabelSet.Label]? in
      guard let number = port["port"]?.port else { return nil }
      var labels: [LabelSet.Label] = [
        .address(HostPort.joined("\(meta.name).\(meta.namespace).svc", number)),
        .kubernetes("service_port_name", port["name"]?.text ?? ""), .kubernetes("service_port_number", String(number)),
        .kubernetes("service_port_protocol", port["protocol"]?.text ?? ""), .kubernetes("service_type", type),
      ]
      if type == "ExternalName" {
        labels.append(.kubernetes("service_external_name", spec["externalName"]?.text ?? ""))
      } else {
        labels.append(.kubernetes("service_cluster_ip", spec["clusterIP"]?.text ?? ""))
      }
      if type == "LoadBalancer" {
        let given = (object["status"]?["loadBalancer"]?["ingress"]?.elements ?? []).compactMap { $0["ip"]?.text }.filter { !$0.isEmpty }
        labels.append(
          .kubernetes("service_loadbalancer_ip", given.isEmpty ? spec["loadBalancerIP"]?.text ?? "" : given.joined(separator: ",")))
      }
      return labels
    }
    let hasTwoFamilies = ["PreferDualStack", "RequireDualStack"].contains(spec["ipFamilyPolicy"]?.text ?? "")
    return Service(
      labels: [.kubernetes("namespace", meta.namespace), .kubernetes("service_name", meta.name)] + meta.metaLabels("service"),
      ports: ports, primaryFamily: hasTwoFamilies ? spec["ipFamilies"]?.elements?.first?.text ?? "" : "")
  }

  private static func ingress(_ object: JSONValue, _ meta: ObjectMeta) -> KubernetesObject {
    let spec = object["spec"] ?? .null
    let secure = (spec["tls"]?.elements ?? []).flatMap { $0["hosts"]?.elements ?? [] }.compactMap(\.text)
    var own: [[LabelSet.Label]] = []
    for rule in spec["rules"]?.elements ?? [] {
      let host = rule["host"]?.text ?? ""
      let scheme = secure.contains { matches(host, $0) } ? "https" : "http"
      let paths = rule["http"].map { http in (http["paths"]?.elements ?? []).map { $0["path"]?.text ?? "" } } ?? [""]
      for path in paths {
        own.append([
          .address(host), .kubernetes("ingress_scheme", scheme), .kubernetes("ingress_host", host),
          .kubernetes("ingress_path", path.isEmpty ? "/" : path),
        ])
      }
    }
    let labels: [LabelSet.Label] = [
      .kubernetes("namespace", meta.namespace), .kubernetes("ingress_name", meta.name),
      .kubernetes("ingress_class_name", spec["ingressClassName"]?.text ?? ""),
    ]
    return .ingress(targets: labels + meta.metaLabels("ingress"), own: own)
  }

  /// Whether a host is a pattern's, whose first part may be `*`.
  private static func matches(_ host: String, _ pattern: String) -> Bool {
    if host == pattern { return true }
    let parts = pattern.split(separator: ".", omittingEmptySubsequences: false)
    let names = host.split(separator: ".", omittingEmptySubsequences: false)
    return parts.first == "*" && parts.count == names.count && parts.dropFirst() == names.dropFirst()
  }
}
