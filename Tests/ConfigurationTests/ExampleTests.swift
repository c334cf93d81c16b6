import Configuration
import Targets
import Testing

/// The examples of the components' own pages, as they are.
struct ExampleTests {
  @Test(arguments: ["kubernetes.alloy", "docker.alloy", "java.alloy"]) func `a documented example is taken as it is`(name: String) throws {
    #expect(Reading.errors(try Reading.fixture(name)).isEmpty)
  }

  @Test func `the Kubernetes example gives pods the labels its rules say`() throws {
    let pod = LabelSet([
      "__meta_kubernetes_namespace": "shop", "__meta_kubernetes_pod_name": "cart-1", "__meta_kubernetes_pod_phase": "Running",
      "__meta_kubernetes_pod_container_name": "main", "__meta_kubernetes_pod_node_name": "node-7",
      "__meta_kubernetes_pod_container_id": "containerd://abc", "__meta_kubernetes_pod_label_app": "cart",
    ])
    var done = pod
    done["__meta_kubernetes_pod_phase"] = "Succeeded"
    done["__meta_kubernetes_pod_container_id"] = "containerd://def"
    let configuration = try Reading.configuration(try Reading.fixture("kubernetes.alloy"))
    var asked: DecodedBlock?
    let evaluation = configuration.evaluate { _, arguments in
      asked = arguments
      return [pod, done]
    }
    #expect(asked?.blocks("selectors").first?.string("field") == "spec.nodeName=node-7")
    let profiled = try #require(configuration.profiledTargets(of: evaluation).first)
    #expect(
      profiled.labels(process: 1, containerID: "abc")
        == LabelSet([
          "service_name": "ebpf/shop/main", "namespace": "shop", "pod": "cart-1", "node": "node-7", "container": "main", "app": "cart",
        ]))
    #expect(profiled.labels(process: 1, containerID: "def") == nil)
    #expect(profiled.arguments.receivers("forward_to") == ["pyroscope.write.endpoint"])
  }

  @Test func `the Java example keeps processes that run java`() throws {
    let configuration = try Reading.configuration(try Reading.fixture("java.alloy"))
    let evaluation = configuration.evaluate { _, arguments in
      #expect(arguments.processDiscovery.userID)
      return [
        LabelSet(["__process_pid__": "7", "__meta_process_exe": "/usr/lib/jvm/bin/java"]),
        LabelSet(["__process_pid__": "8", "__meta_process_exe": "/usr/bin/javac"]),
      ]
    }
    let profiled = try #require(configuration.profiledTargets(of: evaluation).first)
    #expect(
      profiled.labels(process: 7, containerID: "")
        == LabelSet(["service_name": "unspecified", "pyroscope_spy": "alloy.java", "jfr_event": "itimer"]))
    #expect(profiled.labels(process: 8, containerID: "") == nil)
    let config = try #require(profiled.arguments.block("profiling_config"))
    #expect(config.duration("interval") == 60_000_000_000)
    #expect(config.string("event") == "itimer" && config.integer("sample_rate") == 100 && config.string("lock") == "1ms")
  }

  @Test func `everything has the default that its page gives`() throws {
    let text = """
      pyroscope.write "w" { endpoint { url = "http://h:4040" } }
      pyroscope.ebpf "e" { forward_to = [pyroscope.write.w.receiver] }
      """
    let ebpf = try #require(try Reading.arguments(text, of: "pyroscope.ebpf.e"))
    #expect(ebpf.duration("collect_interval") == 15_000_000_000)
    #expect(ebpf.integer("sample_rate") == 19)
    #expect(ebpf.string("demangle") == "none" && ebpf.bool("python_enabled") && ebpf.bool("targets_only") && !ebpf.bool("lazy_mode"))
    let endpoint = try #require(try Reading.arguments(text, of: "pyroscope.write.w")?.block("endpoint"))
    #expect(endpoint.duration("remote_timeout") == 10_000_000_000 && endpoint.duration("min_backoff_period") == 500_000_000)
    #expect(endpoint.integer("max_backoff_retries") == 10 && endpoint.bool("retry_on_http_429") && endpoint.bool("enable_http2"))
  }

  @Test func `programs of a recording get their labels, also those that use one number after another`() throws {
    let configuration = try Reading.configuration(
      """
      discovery.process "all" {}
      discovery.relabel "r" {
        targets = discovery.process.all.targets
        rule {
          source_labels = ["__meta_process_exe"]
          regex = "/bin/(.*)"
          target_label = "service_name"
        }
        rule {
          action = "drop"
          source_labels = ["service_name"]
          regex = "sh"
        }
      }
      pyroscope.write "w" {
        external_labels = {env = "test"}
        endpoint { url = "http://h:4040" }
      }
      pyroscope.ebpf "e" {
        targets = discovery.relabel.r.output
        forward_to = [pyroscope.write.w.receiver]
      }
      """)
    func program(_ process: UInt32, _ exe: String?) -> Configuration.RecordedProgram {
      Configuration.RecordedProgram(
        process: process, containerID: "", target: exe.map { LabelSet(["__process_pid__": "\(process)", "__meta_process_exe": $0]) })
    }
    let labels = configuration.labels(of: [program(5, "/bin/sh"), program(5, "/bin/make"), program(6, "/bin/cc"), program(7, nil)])
    #expect(labels[0] == nil)
    #expect(labels[1] == LabelSet(["service_name": "make", "env": "test"]))
    #expect(labels[2] == LabelSet(["service_name": "cc", "env": "test"]))
    #expect(labels[3] == nil)
  }
}
