import Base
package import Configuration

/// What a `discovery.docker` is told.
package struct DockerOptions: Sendable {
  package var access: ServerAccess
  /// Of containers whose network is not the host's and that open no TCP port.
  package var port = 80
  /// The address of containers in the host's network.
  package var hostNetworkingHost = "localhost"
  package var refreshMilliseconds = 60_000
  /// Of several networks only the first by name.
  package var matchesFirstNetwork = true
  /// Which containers are listed, as the service's own API has it: name and values, all of which may match.
  package var filters: [(name: String, values: [String])] = []

  /// - Parameter host: `unix:///PATH`, `tcp://HOST:PORT`, or a URL.
  package init(host: String) throws(DiscoveryError) {
    if host.hasPrefix("unix://") {
      access = ServerAccess(address: "http://docker")
      access.unixSocketPath = String(host.dropFirst("unix://".count))
    } else if host.hasPrefix("tcp://") {
      access = ServerAccess(address: Self.trimmed("http://" + host.dropFirst("tcp://".count)))
    } else if host.hasPrefix("http://") || host.hasPrefix("https://") {
      access = ServerAccess(address: Self.trimmed(host))
    } else {
      throw DiscoveryError("host \(ShownText.shortened(host)) begins with none of unix://, tcp://, http:// and https://")
    }
  }

  package init(
    _ arguments: DecodedBlock, by makeTransport: ServerClient.TransportMaker = ServerClient.curl
  ) throws(DiscoveryError) {
    let host = arguments.string("host")
    try self.init(host: host)
    // As in Alloy, sockets and tcp:// are plain.
    if host.hasPrefix("http") { try access.apply(arguments, by: makeTransport) }
    port = Int(arguments.integer("port"))
    hostNetworkingHost = arguments.string("host_networking_host")
    refreshMilliseconds = Int(clamping: max(1, arguments.duration("refresh_interval") / 1_000_000))
    matchesFirstNetwork = arguments.bool("match_first_network")
    filters = arguments.blocks("filter").map { ($0.string("name"), $0.strings("values")) }
  }

  private static func trimmed(_ address: String) -> String {
    var address = address[...]
    while address.last == "/" { address.removeLast() }
    return String(address)
  }

  /// `{"name":{"value":true}}`, sorted; empty without filters.
  var filterQuery: String {
    if filters.isEmpty { return "" }
    var values: [String: Set<String>] = [:]
    for filter in filters { values[filter.name, default: []].formUnion(filter.values) }
    var json = JSONWriter(indent: 0)
    json.object { json in
      for name in values.keys.sorted() {
        json.object(name) { json in for value in values[name, default: []].sorted() { json.field(value, true) } }
      }
    }
    return json.text
  }
}
