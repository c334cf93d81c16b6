import Base
import Targets

/// Makes targets of what Docker's API says, with the labels that Prometheus' `docker_sd_configs` documents.
///
/// A container without any network is none of its targets, because there is nothing to scrape; here it is one, without an address
/// and a network's labels: it can be profiled as well as others. Podman lists all containers in the host's network like that.
struct DockerTargets {
  private static let prefix = "__meta_docker_"
  /// `container:ID`, the mode of a container in another one's network.
  private static let shared = "container:"

  private let options: DockerOptions
  private var networkLabels: [String: [LabelSet.Label]] = [:]

  /// - Parameter networks: the elements of `/networks`.
  init(_ options: DockerOptions, networks: [JSONValue]) {
    self.options = options
    for network in networks {
      guard let id = network["Id"]?.text else { continue }
      var labels: [LabelSet.Label] = []
      func add(_ name: String, _ value: String?) { labels.append(LabelSet.Label(name: Self.prefix + name, value: value ?? "")) }
      add("network_id", id)
      add("network_name", network["Name"]?.text)
      add("network_scope", network["Scope"]?.text)
      add("network_internal", network["Internal"] == .boolean(true) ? "true" : "false")
      add("network_ingress", network["Ingress"] == .boolean(true) ? "true" : "false")
      for (key, value) in network["Labels"]?.texts ?? [] { add("network_label_" + LabelName.sanitized(key), value) }
      networkLabels[id] = labels
    }
  }

  /// - Parameter containers: the elements of `/containers/json`.
  func make(_ containers: [JSONValue]) -> Found {
    var byID: [String: JSONValue] = [:]
    for container in containers { if let id = container["Id"]?.text { byID[id] = container } }
    var found = Found([])
    for container in containers {
      guard let names = container["Names"]?.elements, let name = names.first?.text else { continue }
      let networks = networks(of: container, in: byID)
      let labels = common(container, name)
      if networks.isEmpty { found.targets.append(LabelSet(labels)) }
      for network in networks { add(container, network, labels, to: &found.targets) }
    }
    return found
  }

  private func common(_ container: JSONValue, _ name: String) -> [LabelSet.Label] {
    var labels: [LabelSet.Label] = []
    func add(_ name: String, _ value: String?) { labels.append(LabelSet.Label(name: Self.prefix + name, value: value ?? "")) }
    add("container_id", container["Id"]?.text)
    add("container_name", name)
    add("container_network_mode", Self.mode(container))
    add("container_image", container["Image"]?.text)
    add("container_image_id", container["ImageID"]?.text)
    for (key, value) in container["Labels"]?.texts ?? [] { add("container_label_" + LabelName.sanitized(key), value) }
    return labels
  }

  private static func mode(_ container: JSONValue) -> String { container["HostConfig"]?["NetworkMode"]?.text ?? "" }

  // MARK: Networks

  /// A container's networks by name; of one that has none and runs in another's, that one's.
  private func networks(of container: JSONValue, in byID: [String: JSONValue]) -> [JSONValue] {
    var networks = Self.ownNetworks(container)
    var mode = Self.mode(container)
    // Containers that refer to each other in a circle have none.
    var seen: Set<String> = []
    while networks.isEmpty, mode.hasPrefix(Self.shared) {
      let id = String(mode.dropFirst(Self.shared.count))
      guard let other = byID[id], seen.insert(id).inserted else { break }
      networks = Self.ownNetworks(other)
      mode = Self.mode(other)
    }
    let usable = networks.filter { $0.value != .null }.sorted { $0.key < $1.key }.map(\.value)
    return options.matchesFirstNetwork ? Array(usable.prefix(1)) : usable
  }

  private static func ownNetworks(_ container: JSONValue) -> [JSONValue.Member] {
    guard case .object(let members) = container["NetworkSettings"]?["Networks"] else { return [] }
    // Of a name that comes twice the last counts.
    return members.enumerated().filter { place, member in !members[(place + 1)...].contains { $0.key == member.key } }.map(\.element)
  }

  // MARK: Ports

  private func add(_ container: JSONValue, _ network: JSONValue, _ common: [LabelSet.Label], to targets: inout [LabelSet]) {
    let v4 = network["IPAddress"]?.text ?? ""
    let address = v4.isEmpty ? network["GlobalIPv6Address"]?.text ?? "" : v4
    let networkLabels = network["NetworkID"]?.text.flatMap { self.networkLabels[$0] } ?? []
    func label(_ name: String, _ value: String) -> LabelSet.Label { LabelSet.Label(name: Self.prefix + name, value: value) }
    var hasPort = false
    for port in container["Ports"]?.elements ?? [] where port["Type"]?.text == "tcp" {
      guard let inner = port["PrivatePort"]?.integer, (0...65535).contains(inner) else { continue }
      hasPort = true
      var labels = [label("network_ip", address), label("port_private", String(inner))]
      if let outer = port["PublicPort"]?.integer, outer > 0 {
        labels += [label("port_public", String(outer)), label("port_public_ip", port["IP"]?.text ?? "")]
      }
      let own = LabelSet.Label(name: "__address__", value: HostPort.joined(address, Int(inner)))
      targets.append(LabelSet(labels + common + networkLabels + [own]))
    }
    if hasPort { return }
    let place = Self.mode(container) == "host" ? options.hostNetworkingHost : HostPort.joined(address, options.port)
    targets.append(
      LabelSet([label("network_ip", address)] + common + networkLabels + [LabelSet.Label(name: "__address__", value: place)]))
  }
}
