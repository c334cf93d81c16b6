import Base
import Targets
import Testing
@testable import Discovery

/// A container as `/containers/json` lists it.
private func container(
  _ id: String, names: String = "[\"/web\"]", mode: String = "bridge", networks: String = "{}", ports: String = "[]",
  labels: String = "null"
) -> String {
  """
  {"Id":"\(id)","Names":\(names),"Image":"img:1","ImageID":"sha256:ab","Labels":\(labels),"Ports":\(ports),
   "HostConfig":{"NetworkMode":"\(mode)"},"NetworkSettings":{"Networks":\(networks)}}
  """
}

private let networks = """
  [{"Id":"n1","Name":"bridge","Scope":"local","Internal":false,"Ingress":false,"Labels":{"a.b":"c"}},
   {"Id":"n2","Name":"back","Scope":"global","Internal":true,"Ingress":true,"Labels":null}]
  """
private let bridge = "\"bridge\":{\"NetworkID\":\"n1\",\"IPAddress\":\"172.17.0.2\"}"
private let back = "\"back\":{\"NetworkID\":\"n2\",\"IPAddress\":\"\",\"GlobalIPv6Address\":\"fd00::2\"}"

private func targets(_ containers: [String], _ change: (inout DockerOptions) -> Void = { _ in }) throws -> [LabelSet] {
  var options = try DockerOptions(host: "unix:///run/docker.sock")
  change(&options)
  let read = { (text: String) in try JSONReader.read(Array(text.utf8)).elements ?? [] }
  return DockerTargets(options, networks: try read(networks)).make(try read("[\(containers.joined(separator: ","))]")).targets
}

@Suite struct DockerTargetsTests {
  private let common = [
    "__meta_docker_container_id": "c1", "__meta_docker_container_name": "/web", "__meta_docker_container_image": "img:1",
    "__meta_docker_container_image_id": "sha256:ab", "__meta_docker_container_network_mode": "bridge",
    "__meta_docker_network_id": "n1", "__meta_docker_network_name": "bridge", "__meta_docker_network_scope": "local",
    "__meta_docker_network_internal": "false", "__meta_docker_network_ingress": "false", "__meta_docker_network_label_a_b": "c",
    "__meta_docker_network_ip": "172.17.0.2",
  ]

  @Test func `a container gives a target a TCP port, with every label`() throws {
    let ports = """
      [{"IP":"0.0.0.0","PrivatePort":8080,"PublicPort":80,"Type":"tcp"},{"PrivatePort":9090,"Type":"tcp"},{"PrivatePort":53,"Type":"udp"}]
      """
    let found = try targets([container("c1", networks: "{\(bridge)}", ports: ports, labels: "{\"pyroscope.io/service_name\":\"shop\"}")])
    var first = common
    first["__address__"] = "172.17.0.2:8080"
    first["__meta_docker_port_private"] = "8080"
    first["__meta_docker_port_public"] = "80"
    first["__meta_docker_port_public_ip"] = "0.0.0.0"
    first["__meta_docker_container_label_pyroscope_io_service_name"] = "shop"
    var second = common
    second["__address__"] = "172.17.0.2:9090"
    second["__meta_docker_port_private"] = "9090"
    second["__meta_docker_container_label_pyroscope_io_service_name"] = "shop"
    #expect(found == [LabelSet(first), LabelSet(second)])
  }

  @Test func `without a TCP port there is one target with the port of the configuration`() throws {
    let found = try targets([container("c1", networks: "{\(bridge)}", ports: "[{\"PrivatePort\":53,\"Type\":\"udp\"}]")]) { $0.port = 8081 }
    #expect(found.map { $0["__address__"] } == ["172.17.0.2:8081"])
    #expect(found.map { $0["__meta_docker_port_private"] } == [nil])
  }

  @Test func `of several networks the first by name counts, unless all do`() throws {
    let both = container("c1", networks: "{\(bridge),\"a\":null,\(back)}")
    #expect(try targets([both]).map { $0["__address__"] } == ["[fd00::2]:80"])
    let all = try targets([both]) { $0.matchesFirstNetwork = false }
    #expect(all.map { $0["__meta_docker_network_name"] } == ["back", "bridge"])
    #expect(all.map { $0["__meta_docker_network_ip"] } == ["fd00::2", "172.17.0.2"])
    #expect(all.map { $0["__meta_docker_network_ingress"] } == ["true", "false"])
  }

  @Test func `the host's network has the address of the configuration`() throws {
    let host = container("c1", mode: "host", networks: "{\"host\":{\"NetworkID\":\"n9\",\"IPAddress\":\"\"}}")
    let found = try targets([host]) { $0.hostNetworkingHost = "node-7" }
    #expect(found.map { $0["__address__"] } == ["node-7"])
    #expect(found.map { $0["__meta_docker_network_id"] } == [nil])
  }

  @Test func `a container in another one's network has that one's networks, through several`() throws {
    let found = try targets([
      container("c1", networks: "{\(bridge)}"), container("c2", mode: "container:c1"),
      container("c3", mode: "container:c2", networks: "null"),
    ])
    #expect(found.map { $0["__meta_docker_container_id"] } == ["c1", "c2", "c3"])
    #expect(found.map { $0["__address__"] } == ["172.17.0.2:80", "172.17.0.2:80", "172.17.0.2:80"])
    #expect(found.map { $0["__meta_docker_container_network_mode"] } == ["bridge", "container:c1", "container:c2"])
  }

  @Test func `a container without any network is a target without an address, also where they share in a circle`() throws {
    let found = try targets([
      container("c1", mode: "container:c2"), container("c2", mode: "container:c1"), container("c3", mode: "container:c3"),
      container("c4", mode: "container:nobody"), container("c5", networks: "null"),
    ])
    #expect(found.map { $0["__meta_docker_container_id"] } == ["c1", "c2", "c3", "c4", "c5"])
    #expect(found.allSatisfy { $0["__address__"] == nil && $0["__meta_docker_network_ip"] == nil })
  }

  @Test func `a container without a name is passed over`() throws {
    #expect(
      try targets([container("c1", names: "[]", networks: "{\(bridge)}"), container("c2", names: "null", networks: "{\(bridge)}")]).isEmpty)
  }

  @Test(arguments: [
    "{}", "[]", "{\"Id\":7,\"Names\":\"x\"}", "{\"Names\":[1]}", "{\"Names\":[\"/a\"],\"NetworkSettings\":[]}", "null", "7",
  ])
  func `what is no container is passed over`(text: String) throws {
    #expect(try targets([text, container("c1", networks: "{\(bridge)}")]).last?["__meta_docker_container_id"] == "c1")
  }

  @Test(arguments: ["-1", "65536", "9223372036854775807", "1e99", "\"80\"", "null"])
  func `a port that is none does not count`(port: String) throws {
    let found = try targets([container("c1", networks: "{\(bridge)}", ports: "[{\"PrivatePort\":\(port),\"Type\":\"tcp\"}]")])
    #expect(found.map { $0["__address__"] } == ["172.17.0.2:80"])
  }

  @Test func `filters are written as the API takes them, sorted`() throws {
    var options = try DockerOptions(host: "tcp://127.0.0.1:2375/")
    #expect(options.filterQuery.isEmpty && options.access.address == "http://127.0.0.1:2375")
    options.filters = [("status", ["running"]), ("label", ["b", "a=\"1\""]), ("label", ["b"])]
    #expect(options.filterQuery == "{\"label\":{\"a=\\\"1\\\"\":true,\"b\":true},\"status\":{\"running\":true}}")
  }

  @Test func `label names keep ASCII letters, digits and underscores`() {
    #expect(LabelName.sanitized("pyroscope.io/service_name") == "pyroscope_io_service_name")
    #expect(LabelName.sanitized("é-9 Z") == "__9_Z" && LabelName.sanitized("").isEmpty)
  }
}
