// Ten thousand pods and two hundred rules, as teams write them: most look at a label with few values, some at one that every
// pod has to itself.
//   PYROREC_TOOLS=1 swift run -c release relabel-bench
import Glibc
import Targets

func run() throws {
  var targets: [LabelSet] = []
  for i in 0..<10_000 {
    var labels: [LabelSet.Label] = []
    func add(_ name: String, _ value: String) { labels.append(.init(name: name, value: value)) }
    add("__address__", "10.\(i/65536).\(i/256%256).\(i%256):8080")
    add("__meta_kubernetes_namespace", "team-\(i % 37)"); add("__meta_kubernetes_pod_name", "app-\(i % 500)-7d9f\(i)")
    add("__meta_kubernetes_pod_container_name", "main-\(i % 50)");
    add("__meta_kubernetes_pod_container_id", "containerd://\(String(repeating: "0123456789abcde\(i % 10)", count: 4))")
    add("__meta_kubernetes_pod_phase", i % 20 == 0 ? "Succeeded" : "Running"); add("__meta_kubernetes_pod_node_name", "node-\(i % 200)")
    add("__meta_kubernetes_pod_ip", "10.0.\(i/256%256).\(i%256)");
    add("__meta_kubernetes_pod_uid", "5c1b7e0a-0000-4000-8000-\(100000000000 + i)")
    add("__meta_kubernetes_pod_ready", "true")
    for name in ["app", "version", "tier", "pod_template_hash"] {
      add("__meta_kubernetes_pod_label_\(name)", "\(name)-\(i % 97)"); add("__meta_kubernetes_pod_labelpresent_\(name)", "true")
    }
    targets.append(LabelSet(labels))
  }
  func rule(
    _ action: String, _ sources: [String], _ regex: String, _ target: String, _ replacement: String = "$1", separator: String = ";",
    modulus: UInt64 = 0
  ) throws -> RelabelRule {
    try RelabelRule(
      RelabelRule.Fields(
        action: action, sourceLabels: sources, separator: separator, regex: regex, targetLabel: target, replacement: replacement,
        modulus: modulus))
  }
  let meta = "__meta_kubernetes_"
  var rules: [RelabelRule] = [
    try rule("drop", [meta + "pod_phase"], "Succeeded|Failed", ""), try rule("labelmap", [], meta + "pod_label_(.+)", ""),
    try rule("labeldrop", [], meta + "pod_labelpresent_.*", ""),
    try rule("replace", [meta + "namespace", meta + "pod_container_name"], "(.*)@(.*)", "service_name", "ebpf/${1}/${2}", separator: "@"),
    try rule("replace", [meta + "pod_name"], "(.+)-[0-9a-z]+", "deployment"),
    try rule("replace", ["__address__"], "([^:]+)(?::\\d+)?", "instance", "${1}:9090"),
    try rule("hashmod", ["__address__"], "(.*)", "shard", modulus: 8), try rule("lowercase", [meta + "pod_name"], "(.*)", "pod_lower"),
    try rule("replace", [meta + "pod_name"], "(.*)", "pod"), try rule("replace", [meta + "namespace"], "(.*)", "namespace"),
    try rule("replace", [meta + "pod_node_name"], "(.*)", "node"), try rule("replace", [meta + "pod_container_name"], "(.*)", "container"),
    try rule("keep", ["shard"], "[0-7]", ""), try rule("labelkeep", [], ".*", ""),
  ]
  // teams name their services: who is in which namespace, app or deployment
  var i = 0
  while rules.count < 200 {
    switch i % 6 {
    case 0: rules.append(try rule("replace", [meta + "namespace"], "team-\(i % 40)|legacy-\(i)", "team", "owners-\(i)"))
    case 1:
      let sources = [meta + "namespace", meta + "pod_label_app"]
      rules.append(try rule("replace", sources, "team-\(i % 40);app-(\\d+)", "service_name", "svc-\(i)/$1"))
    case 2: rules.append(try rule("drop", [meta + "pod_container_name"], "istio-proxy|linkerd-.*|sidecar-\(i)", ""))
    case 3: rules.append(try rule("replace", [meta + "pod_label_version"], "version-(\(i % 10)\\d?)(?:-rc)?", "release", "r$1"))
    case 4: rules.append(try rule("drop", [meta + "pod_name"], "canary-\(i)-.*", ""))
    default: rules.append(try rule("replace", ["deployment"], "app-\(i)(\\d)", "tier", "t${1}"))
    }
    i += 1
  }
  // CPU time, because the machine may have more to do; the median of five, each with nothing remembered yet.
  var milliseconds: [Int] = []
  var kept = 0
  for _ in 0..<5 {
    var relabeler = Relabeler(rules)
    let start = clock()
    kept = relabeler.keep(targets).count
    milliseconds.append((clock() - start) / 1000)
  }
  var usage = rusage()
  getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
  print(
    "\(targets.count) targets, \(rules.count) rules, \(kept) kept: \(milliseconds.sorted()[2]) ms of CPU time (goal: 100), "
      + "\(usage.ru_maxrss >> 10) MiB resident at most")
}

try run()
