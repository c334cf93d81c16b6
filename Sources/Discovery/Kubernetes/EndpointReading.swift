import Base
import Targets

extension KubernetesObject {
  static func endpoints(_ object: JSONValue, _ meta: ObjectMeta) -> EndpointsObject {
    let subsets = (object["subsets"]?.elements ?? []).map { subset in
      EndpointsObject.Subset(
        ports: (subset["ports"]?.elements ?? []).compactMap { port in
          guard let number = port["port"]?.port else { return nil }
          let networkProtocol = port["protocol"]?.text ?? ""
          return EndpointPort(
            labels: [.kubernetes("endpoint_port_name", port["name"]?.text ?? ""), .kubernetes("endpoint_port_protocol", networkProtocol)],
            number: number, networkProtocol: networkProtocol)
        },
        ready: (subset["addresses"]?.elements ?? []).map { endpoint($0) },
        notReady: (subset["notReadyAddresses"]?.elements ?? []).map { endpoint($0) })
    }
    return EndpointsObject(
      namespace: meta.namespace, name: meta.name,
      labels: [.kubernetes("namespace", meta.namespace), .kubernetes("endpoints_name", meta.name)] + meta.metaLabels("endpoints"),
      subsets: subsets)
  }

  private static func endpoint(_ address: JSONValue) -> Endpoint {
    var labels = target(address["targetRef"], "endpoint")
    if let node = address["nodeName"]?.text { labels.append(.kubernetes("endpoint_node_name", node)) }
    if let host = address["hostname"]?.text { labels.append(.kubernetes("endpoint_hostname", host)) }
    return Endpoint(
      addresses: address["ip"]?.text.map { [$0] } ?? [], labels: labels, pod: pod(address["targetRef"]),
      nodeName: address["nodeName"]?.text ?? node(address["targetRef"]))
  }

  static func slice(_ object: JSONValue, _ meta: ObjectMeta) -> EndpointSlice {
    let type = object["addressType"]?.text ?? ""
    let ports = (object["ports"]?.elements ?? []).map { port in
      var labels: [LabelSet.Label] = []
      if let name = port["name"]?.text { labels.append(.kubernetes("endpointslice_port_name", name)) }
      if let word = port["protocol"]?.text { labels.append(.kubernetes("endpointslice_port_protocol", word)) }
      if let number = port["port"]?.port { labels.append(.kubernetes("endpointslice_port", String(number))) }
      if let word = port["appProtocol"]?.text { labels.append(.kubernetes("endpointslice_port_app_protocol", word)) }
      return EndpointPort(labels: labels, number: port["port"]?.port, networkProtocol: port["protocol"]?.text ?? "")
    }
    let endpoints = (object["endpoints"]?.elements ?? []).map { endpoint in
      var labels = target(endpoint["targetRef"], "endpointslice")
      for condition in ["ready", "serving", "terminating"] {
        if let flag = endpoint["conditions"]?[condition]?.booleanText {
          labels.append(.kubernetes("endpointslice_endpoint_conditions_\(condition)", flag))
        }
      }
      for (field, name) in [("hostname", "hostname"), ("nodeName", "node_name"), ("zone", "zone")] {
        if let text = endpoint[field]?.text { labels.append(.kubernetes("endpointslice_endpoint_\(name)", text)) }
      }
      // `topology` until discovery.k8s.io/v1.
      for (key, value) in (endpoint["deprecatedTopology"] ?? endpoint["topology"])?.texts ?? [] {
        let key = LabelName.sanitized(key)
        labels.append(.kubernetes("endpointslice_endpoint_topology_\(key)", value))
        labels.append(.kubernetes("endpointslice_endpoint_topology_present_\(key)", "true"))
      }
      return Endpoint(
        addresses: (endpoint["addresses"]?.elements ?? []).compactMap(\.text), labels: labels, pod: pod(endpoint["targetRef"]),
        nodeName: node(endpoint["targetRef"]) ?? endpoint["nodeName"]?.text)
    }
    let labels: [LabelSet.Label] = [
      .kubernetes("namespace", meta.namespace), .kubernetes("endpointslice_address_type", type),
      .kubernetes("endpointslice_name", meta.name),
    ]
    return EndpointSlice(
      namespace: meta.namespace, service: meta.labels.last { $0.key == "kubernetes.io/service-name" }?.value, addressType: type,
      labels: labels + meta.metaLabels("endpointslice"), ports: ports, endpoints: endpoints)
  }

  private static func target(_ reference: JSONValue?, _ kind: String) -> [LabelSet.Label] {
    guard let reference, reference != .null else { return [] }
    return [
      .kubernetes("\(kind)_address_target_kind", reference["kind"]?.text ?? ""),
      .kubernetes("\(kind)_address_target_name", reference["name"]?.text ?? ""),
    ]
  }

  private static func pod(_ reference: JSONValue?) -> String? {
    guard let reference, reference["kind"]?.text == "Pod" else { return nil }
    return "\(reference["namespace"]?.text ?? "")/\(reference["name"]?.text ?? "")"
  }

  private static func node(_ reference: JSONValue?) -> String? {
    reference?["kind"]?.text == "Node" ? reference?["name"]?.text : nil
  }
}
