import Configuration
import Targets
import Testing

/// Targets that come from somewhere else than `/proc`.
@Suite struct JoinTests {
  private static let tail = """
    pyroscope.write "w" { endpoint { url = "http://h:4040" } }
    pyroscope.ebpf "e" { targets = discovery.process.all.targets
      forward_to = [pyroscope.write.w.receiver] }
    """

  @Test func `processes get the labels of their containers' targets, and what was recorded of both is joined again`() throws {
    let configuration = try Reading.configuration(
      """
      discovery.docker "d" { host = "unix:///run/docker.sock" }
      discovery.process "all" { join = discovery.docker.d.targets }
      \(Self.tail)
      """)
    let id = String(repeating: "0a", count: 32)
    let program = { (process: UInt32, container: String) in
      Configuration.RecordedProgram(
        process: process, containerID: container,
        target: LabelSet(["__process_pid__": String(process), "__container_id__": container, "__meta_process_exe": "/bin/app"]))
    }
    let container = LabelSet(["__meta_docker_container_id": id, "__meta_docker_container_name": "/web", "team": "shop"])
    let labels = configuration.labels(of: [program(1, id), program(2, "")]) { component, _ in
      component.kind.name == "discovery.docker" ? [container] : []
    }
    #expect(labels.map { $0?["team"] } == ["shop", nil])
    #expect(labels.map { $0?["service_name"] } == ["/web", "unspecified"])
    let alone = configuration.labels(of: [program(1, id)])
    #expect(alone.map { $0?["team"] } == [nil])
  }

  @Test func `static targets come as JSON`() throws {
    let configuration = try Reading.configuration(
      """
      discovery.process "all" {
        join = encoding.from_json("[{\\"__container_id__\\": \\"abc\\", \\"team\\": \\"shop\\"}]")
      }
      \(Self.tail)
      """)
    let labels = configuration.labels(of: [
      Configuration.RecordedProgram(process: 1, containerID: "abc", target: LabelSet(["__process_pid__": "1", "__container_id__": "abc"]))
    ])
    #expect(labels.map { $0?["team"] } == ["shop"])
  }
}
