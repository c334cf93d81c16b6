import Targets
import Testing

/// Processes in a text.
private struct FakeProcesses: ProcessInformation {
  var links: [String: ProcessAnswer<String>] = [:]
  var files: [String: ProcessAnswer<[UInt8]>] = [:]
  var ids: [UInt32] = []

  mutating func add(_ id: UInt32, exe: String, arguments: String, user: UInt32 = 0, cgroup: String = "0::/") {
    ids.append(id)
    links["\(id)/exe"] = .known(exe)
    links["\(id)/cwd"] = .known("/work")
    files["\(id)/cmdline"] = .known(Array(arguments.utf8))
    files["\(id)/status"] = .known(Array("Name:\tx\nUid:\t\(user)\t1\t1\t1\n".utf8))
    files["\(id)/cgroup"] = .known(Array((cgroup + "\n").utf8))
  }

  func processes() -> [UInt32] { ids }
  func link(_ process: UInt32, _ name: String) -> ProcessAnswer<String> { links["\(process)/\(name)"] ?? .gone }
  func read(_ process: UInt32, _ name: String) -> ProcessAnswer<[UInt8]> { files["\(process)/\(name)"] ?? .gone }
  func userName(_ user: UInt32) -> String? { user == 0 ? "root" : nil }
}

private let container = String(repeating: "ab", count: 32)

struct ProcessDiscoveryTests {
  @Test func `a process is a target with what is asked for of it`() {
    var processes = FakeProcesses()
    processes.add(7, exe: "/bin/app", arguments: "app\0--flag\0", cgroup: "0::/docker/\(container)")
    processes.add(9, exe: "/bin/other", arguments: "other\0", user: 1000)
    let found = ProcessDiscovery(ProcessDiscovery.Options()).targets(in: processes)
    #expect(
      found.targets == [
        LabelSet([
          "__process_pid__": "7", "__meta_process_exe": "/bin/app", "__meta_process_cwd": "/work",
          "__meta_process_commandline": "app --flag", "__meta_process_username": "root", "__container_id__": container,
        ]),
        // A user without a name has no label of it.
        LabelSet([
          "__process_pid__": "9", "__meta_process_exe": "/bin/other", "__meta_process_cwd": "/work", "__meta_process_commandline": "other",
        ]),
      ])
    var options = ProcessDiscovery.Options()
    (options.executable, options.workingDirectory, options.commandLine) = (false, false, false)
    (options.containerID, options.userName, options.userID, options.cgroupPath) = (false, false, true, true)
    #expect(
      ProcessDiscovery(options).targets(in: processes).targets.map(\.labels.count) == [3, 3])
    #expect(ProcessDiscovery(options).targets(in: processes).targets.last?["__meta_process_uid"] == "1000")
    #expect(ProcessDiscovery(options).targets(in: processes).targets.last?["__meta_process_cgroup_path"] == "0::/")
  }

  @Test func `kernel threads and processes that end are left out without a word, those that refuse are counted`() {
    var processes = FakeProcesses()
    processes.add(2, exe: "", arguments: "")
    processes.links["2/exe"] = .gone
    processes.add(3, exe: "/bin/secret", arguments: "secret\0")
    processes.links["3/exe"] = .refused("Permission denied")
    processes.add(4, exe: "/bin/ended", arguments: "ended\0")
    processes.files["4/cgroup"] = .gone
    processes.add(5, exe: "/bin/app", arguments: "app\0")
    let found = ProcessDiscovery(ProcessDiscovery.Options()).targets(in: processes)
    #expect(found.targets.map { $0["__process_pid__"] } == ["5"])
    #expect(found.refused == 1)
    #expect(found.firstReason == "process 3: Permission denied")
  }

  @Test func `joined targets give their labels to the processes of their container and stay themselves`() {
    let process = LabelSet(["__process_pid__": "7", "__container_id__": container, "a": "process"])
    let other = LabelSet(["__process_pid__": "8", "a": "process"])
    let first = LabelSet(["__meta_docker_container_id": container, "a": "first"])
    let second = LabelSet(["__meta_docker_container_id": container, "a": "second", "b": "2"])
    let nowhere = LabelSet(["__address__": "10.0.0.1"])
    let joined = ProcessDiscovery.join([process, other], [first, nowhere, second])
    #expect(
      joined == [
        nowhere,
        LabelSet([
          "__process_pid__": "7", "__container_id__": container, "__meta_docker_container_id": container, "a": "second", "b": "2",
        ]),
        other, first, nowhere, second,
      ])
    #expect(ProcessDiscovery.join([process, other], []) == [process, other])
  }
}

struct TargetIndexTests {
  @Test func `a process belongs to its own target first and then to its container's`() {
    let own = LabelSet(["__process_pid__": "7", "name": "own"])
    let contained = LabelSet(["__meta_kubernetes_pod_container_id": "containerd://\(container)", "name": "container"])
    let index = TargetIndex([own, contained])
    #expect(index.target(process: 7, containerID: container)?["name"] == "own")
    #expect(index.target(process: 8, containerID: container)?["name"] == "container")
    #expect(index.target(process: 8, containerID: "") == nil)
    #expect(index.target(process: 8, containerID: "other") == nil)
  }

  @Test func `of two targets about one thing the later counts`() {
    let index = TargetIndex([
      LabelSet(["__process_pid__": "7", "name": "first"]), LabelSet(["__process_pid__": "7", "name": "second"]),
      LabelSet(["__container_id__": container, "name": "third"]), LabelSet(["__meta_docker_container_id": container, "name": "fourth"]),
    ])
    #expect(index.target(process: 7, containerID: "")?["name"] == "second")
    #expect(index.target(process: 1, containerID: container)?["name"] == "fourth")
  }

  @Test func `a target without an identity is counted and claims nobody`() {
    let index = TargetIndex([
      LabelSet(["__address__": "x"]), LabelSet(["__process_pid__": "no number"]),
      LabelSet(["__meta_kubernetes_pod_container_id": "rkt://\(container)"]),
    ])
    #expect(index.withoutIdentity == 3)
    #expect(index.target(process: 0, containerID: container) == nil)
  }

  @Test func `a number that is none leaves the container id to decide`() {
    #expect(TargetIdentity(LabelSet(["__process_pid__": "x", "__container_id__": container])) == .container(container))
    #expect(TargetIdentity(LabelSet(["__process_pid__": "12", "__container_id__": container])) == .process(12))
  }
}
