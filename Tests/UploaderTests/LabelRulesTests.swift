import Testing
@testable import Uploader

private func apply(
  _ labels: [UploadLabel], sampleLabels: [String] = []
) -> (labels: [UploadLabel], changes: [LabelRules.Change]) {
  LabelRules().apply(to: labels, metric: "process_cpu", sampleLabels: sampleLabels)
}

private let service = UploadLabel("service_name", "shop")

@Test func `labels that follow the rules are sent as they are, sorted, with the metric`() {
  let result = apply([service, UploadLabel("env", "prod")])
  #expect(result.labels == [UploadLabel("__name__", "process_cpu"), UploadLabel("env", "prod"), service])
  #expect(result.changes.isEmpty)
}

@Test func `dots and dashes in names become underscores, and each is said`() {
  let result = apply([service, UploadLabel("k8s.pod-name", "a"), UploadLabel("0day", "b"), UploadLabel("é", "c")])
  #expect(result.labels.map(\.name) == ["_", "_0day", "__name__", "k8s_pod_name", "service_name"])
  #expect(result.changes.contains(.renamed(from: "k8s.pod-name", to: "k8s_pod_name")))
  #expect(result.changes.count == 3)
}

@Test func `a name that is right wins over one that would be made the same`() {
  let result = apply([service, UploadLabel("a.b", "dot"), UploadLabel("a_b", "underscore"), UploadLabel("a_b", "z")])
  #expect(result.labels.contains(UploadLabel("a_b", "underscore")))
  #expect(result.labels.count == 3)
  #expect(
    result.changes == [
      .dropped(name: "a_b", why: "it is there twice"),
      .dropped(name: "a.b", why: "it would be sent as a_b, which is there already"),
    ])
}

@Test func `labels with two underscores in front stay here, but for the delta`() {
  let result = apply([service, UploadLabel("__process_pid__", "1"), UploadLabel("__delta__", "false")])
  #expect(result.labels.map(\.name) == ["__delta__", "__name__", "service_name"])
  #expect(result.changes == [.dropped(name: "__process_pid__", why: "labels that begin with __ are not sent")])
}

@Test func `memory profiles are marked as no difference to the one before`() {
  let result = LabelRules().apply(to: [service], metric: "memory")
  #expect(result.labels.contains(UploadLabel("__delta__", "false")))
}

@Test func `a missing service gets the name the server would give`() {
  let result = apply([UploadLabel("service_name", "")])
  #expect(result.labels.contains(UploadLabel("service_name", "unknown_service")))
  #expect(result.changes.last == .added(name: "service_name", value: "unknown_service"))
}

@Test func `long values are cut between characters, long names dropped`() {
  let long = String(repeating: "é", count: 2000)
  let result = apply([service, UploadLabel("v", "x" + long), UploadLabel(String(repeating: "n", count: 1025), "1")])
  let value = result.labels.first { $0.name == "v" }?.value
  #expect(value?.utf8.count == 2047)
  #expect(result.labels.count == 3)
  #expect(result.changes.count == 2)
}

@Test func `no more than thirty names, those of sample labels counted`() {
  let many = (0..<40).map { UploadLabel("l\($0)", "x") }
  #expect(apply(many + [service]).labels.count == 30)
  let result = apply(many + [service], sampleLabels: ["thread", "comm", "span_id", "l0"])
  #expect(result.labels.count == 28)
  #expect(result.labels.contains(service))
  #expect(result.changes.count == 14)
}
