import Targets
import Testing

struct ContainerIDTests {
  static let id = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

  @Test(arguments: [
    "0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-\(id).scope",
    "0::/kubepods/besteffort/pod11111111-2222-3333-4444-555555555555/\(id)",
    "0::/kubepods.slice/crio-\(id).scope",
    "0::/kubepods.slice/crio-\(id)",
    "0::/system.slice/docker-\(id).scope",
    "0::/docker/\(id)",
    "0::/system.slice/docker-\(id).scope/init",
    "0::/machine.slice/libpod-\(id).scope/container",
    "0::/libpod_parent/libpod-\(id)",
    "0::/system.slice/containerd.service/kubepods-burstable-pod1.slice:cri-containerd:\(id)",
    "0::/kubelet.slice/\(id)/system.slice/foo.service",
    "12:cpu,cpuacct:/docker/\(id)\n0::/",
    "3:memory:/\n2:cpu:/kubepods/pod1/\(id)\n",
  ])
  func `an id is found wherever container runtimes put it`(text: String) {
    #expect(ContainerID.find(inCgroupFile: text) == Self.id)
  }

  @Test func `the innermost container of a nested one is the process's own`() {
    let inner = String(Self.id.reversed())
    #expect(ContainerID.find(inCgroupFile: "0::/docker/\(Self.id)/kubepods/pod1/\(inner)") == inner)
  }

  @Test func `a task of ECS has 32 digits and a number`() {
    let id = "0123456789abcdef0123456789abcdef-1234567890"
    #expect(ContainerID.find(inCgroupFile: "0::/ecs/task/\(id)") == id)
  }

  @Test(arguments: [
    "", "0::/", "0::/user.slice/user-1000.slice/session-1.scope", "0::/docker/\(id)0",
    "0::/docker/\(id.uppercased())", "0::/x\(id)", "no colons here \(id)",
  ])
  func `what only looks like an id is none`(text: String) {
    #expect(ContainerID.find(inCgroupFile: text) == nil)
  }
}
