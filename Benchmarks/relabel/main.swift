// Ten thousand pods and two hundred rules, as teams write them: most look at a label with few values, some at one that every
// pod has to itself.
//   PYROREC_TOOLS=1 swift run -c release relabel-bench
import Glibc
import Targets

func run() throws {
  var targets: [LabelSet] = []
  for i in 0..<10_000 {
    var l: [LabelSet.Label] = []
    func add(_ n: String, _ v: String) { l.append(.init(name: n, value: v)) }
    add("__address__", "10.\(i/65536).\(i/256%256).\(i%256):8080")
    add("__meta_kubernetes_namespace", "team-\(i % 37)"); add("__meta_kubernetes_pod_name", "app-\(i % 500)-7d9f\(i)")
    add("__meta_kubernetes_pod_container_name", "main-\(i % 50)");
    add("__meta_kubernetes_pod_container_id", "containerd://\(String(repeating: "0123456789abcde\(i % 10)", count: 4))")
    add("__meta_kubernetes_pod_phase", i % 20 == 0 ? "Succeeded" : "Running"); add("__meta_kubernetes_pod_node_name", "node-\(i % 200)")
    add("__meta_kubernetes_pod_ip", "10.0.\(i/256%256).\(i%256)");
    add("__meta_kubernetes_pod_uid", "5c1b7e0a-0000-4000-8000-\(100000000000 + i)")
    add("__meta_kubernetes_pod_ready", "true")
    for k in ["app", "version", "tier", "pod_template_hash"] {
      add("__meta_kubernetes_pod_label_\(k)", "\(k)-\(i % 97)"); add("__meta_kubernetes_pod_labelpresent_\(k)", "true")
    }
    targets.append(LabelSet(l))
  }
  func rule(_ a: String, _ s: [String], _ re: String, _ t: String, _ r: String = "$1", sep: String = ";", mod: UInt64 = 0) throws
    -> RelabelRule
  {
    var f = RelabelRule.Fields(); f.action = a; f.sourceLabels = s; f.regex = re; f.targetLabel = t; f.replacement = r; f.separator = sep;
    f.modulus = mod
    return try RelabelRule(f)
  }
  let p = "__meta_kubernetes_"
  var rules: [RelabelRule] = [
    try rule("drop", [p + "pod_phase"], "Succeeded|Failed", ""), try rule("labelmap", [], p + "pod_label_(.+)", ""),
    try rule("labeldrop", [], p + "pod_labelpresent_.*", ""),
    try rule("replace", [p + "namespace", p + "pod_container_name"], "(.*)@(.*)", "service_name", "ebpf/${1}/${2}", sep: "@"),
    try rule("replace", [p + "pod_name"], "(.+)-[0-9a-z]+", "deployment"),
    try rule("replace", ["__address__"], "([^:]+)(?::\\d+)?", "instance", "${1}:9090"),
    try rule("hashmod", ["__address__"], "(.*)", "shard", mod: 8), try rule("lowercase", [p + "pod_name"], "(.*)", "pod_lower"),
    try rule("replace", [p + "pod_name"], "(.*)", "pod"), try rule("replace", [p + "namespace"], "(.*)", "namespace"),
    try rule("replace", [p + "pod_node_name"], "(.*)", "node"), try rule("replace", [p + "pod_container_name"], "(.*)", "container"),
    try rule("keep", ["shard"], "[0-7]", ""), try rule("labelkeep", [], ".*", ""),
  ]
  // teams name their services: who is in which namespace, app or deployment
  var i = 0
  while rules.count < 200 {
    switch i % 6 {
    case 0: rules.append(try rule("replace", [p + "namespace"], "team-\(i % 40)|legacy-\(i)", "team", "owners-\(i)"))
    case 1:
      rules.append(try rule("replace", [p + "namespace", p + "pod_label_app"], "team-\(i % 40);app-(\\d+)", "service_name", "svc-\(i)/$1"))
    case 2: rules.append(try rule("drop", [p + "pod_container_name"], "istio-proxy|linkerd-.*|sidecar-\(i)", ""))
    case 3: rules.append(try rule("replace", [p + "pod_label_version"], "version-(\(i % 10)\\d?)(?:-rc)?", "release", "r$1"))
    case 4: rules.append(try rule("drop", [p + "pod_name"], "canary-\(i)-.*", ""))
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
  print("\(targets.count) targets, \(rules.count) rules, \(kept) kept: \(milliseconds.sorted()[2]) ms of CPU time (goal: 100)")
}

try run()
