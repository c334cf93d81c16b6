import Base
import TestSupport
import Testing
import TraceFormat

/// Targets of Docker's API: asked by `check`, found in a trace by `label --config`.
@Suite struct DiscoveredTargetsTests {
  private let scratch: ScratchDirectory
  private let id = String(repeating: "ab", count: 32)

  init() throws { scratch = try ScratchDirectory() }

  private func write(host: String, component: String = "here", prefix: String = "") throws -> String {
    try scratch.write(
      Array(
        """
        discovery.docker "\(component)" {
          host             = "\(host)"
          refresh_interval = "5s"
        }
        discovery.process "all" {
          join = discovery.docker.\(component).targets
        }
        discovery.relabel "named" {
          targets = discovery.process.all.targets
          rule {
            source_labels = ["__meta_docker_container_name"]
            regex         = "/(.+)"
            target_label  = "service_name"
            replacement   = "\(prefix)$1"
          }
          rule {
            source_labels = ["__meta_docker_container_name"]
            regex         = ".+"
            action        = "keep"
          }
        }
        pyroscope.write "out" {
          endpoint { url = "http://127.0.0.1:4040" }
        }
        pyroscope.ebpf "all" {
          targets    = discovery.relabel.named.output
          forward_to = [pyroscope.write.out.receiver]
        }
        """.utf8), to: "test.alloy")
  }

  @Test func `check asks the service and shows what it would profile`() throws {
    let server = try LoopbackServer { [id] request, _ in
      switch request.path {
      case "/_ping": .respond(status: 200, headers: [("Api-Version", "1.41")], text: "OK")
      case "/v1.41/networks": .respond(status: 200, text: "[]")
      default: .respond(status: 200, text: "[{\"Id\":\"\(id)\",\"Names\":[\"/web\"],\"NetworkSettings\":{\"Networks\":null}}]")
      }
    }
    let path = try write(host: "tcp://127.0.0.1:\(server.port)")
    let outcome = try Command.run([Command.pyrorec, "check", path], directory: scratch.path)
    // Processes that this user may not read are a warning of their own.
    #expect(outcome.status == 0 && !outcome.messages.contains("discovery.docker"), "\(outcome)")
    #expect(outcome.output.contains("discovery.docker.here (line 1): 1 targets"), "\(outcome)")
    #expect(
      outcome.output.contains("container abababababab: not profiled, nothing of it runs here now\n    {service_name=\"web\"}"), "\(outcome)"
    )
  }

  @Test func `a service that does not answer is a warning, and said in both formats`() throws {
    let path = try write(host: "unix://\(scratch.path)/nobody.sock")
    let outcome = try Command.run([Command.pyrorec, "check", path], directory: scratch.path)
    #expect(outcome.status == 0 && outcome.output.contains("discovery.docker.here (line 1): no answer"), "\(outcome)")
    #expect(outcome.messages.contains("discovery.docker.here: nobody listens at \(scratch.path)/nobody.sock"), "\(outcome)")
    let json = try Command.run([Command.pyrorec, "check", "--format", "json", path], directory: scratch.path)
    let value = try JSONReader.read(Array(json.output.utf8))
    #expect(value["unanswered"]?.elements?.compactMap { $0["id"]?.text } == ["discovery.docker.here"], "\(json)")
  }

  /// A trace of a process in a container, and of one in none, with what discovery said.
  private func trace() throws -> String {
    var builder = TraceBuilder()
    for (pid, container) in [(UInt32(100), id), (101, "")] {
      let process = builder.process(pid, executable: "/usr/bin/app\(pid)", containerID: container)
      let thread = builder.thread(of: process)
      builder.sample(thread, .empty)
    }
    builder.add(
      .targets(
        TargetsRecord(
          component: "discovery.docker.here", time: MonotonicInstant(nanoseconds: 1),
          targets: [[.init(name: "__meta_docker_container_id", value: id), .init(name: "__meta_docker_container_name", value: "/web")]])))
    try builder.write(to: scratch.path + "/trace.seg")
    return scratch.path + "/trace.seg"
  }

  @Test(arguments: ["here", "elsewhere"]) func `rules are tried again on what was recorded, also under another name`(component: String)
    throws
  {
    let path = try trace()
    for prefix in ["", "mended-"] {
      let config = try write(host: "unix:///nobody.sock", component: component, prefix: prefix)
      let labelled = try Command.run([Command.pyrorec, "label", "--config", config, path], directory: scratch.path)
      #expect(labelled.status == 0 && labelled.messages.contains("1 of 2 programs have a target"), "\(labelled)")
      let profile = try Command.run([Command.pyrorec, "upload", "--url", "file://" + scratch.path + "/out", path], directory: scratch.path)
      #expect(profile.status == 0, "\(profile)")
      let names = try DirectoryListing.names(in: scratch.path + "/out").filter { $0.hasSuffix(".json") }.map {
        String(decoding: try Fixture.bytes(scratch.path + "/out/" + $0), as: UTF8.self)
      }
      #expect(names.contains { $0.contains("\"\(prefix)web\"") }, "\(names)")
    }
  }
}
