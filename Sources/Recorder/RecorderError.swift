package import Base
package import TraceFormat

/// Why a recording could not begin or had to end; each says what is needed.
package enum RecorderError: Error {
  /// Capabilities that are missing from the effective set, by their kernel names.
  case missingPrivileges([String])
  /// The kernel refused although the capabilities are there: `operation`, its errno and libbpf's own words.
  case refused(operation: String, code: Int32, detail: String)
  case kernelTooOld(release: String, needs: String, for: String)
  case noBTF(path: String)
  /// Processes have other numbers here than in the kernel: the namespace as `/proc` names it.
  case nestedProcessNamespace(String)
  case noSuchProcess(ProcessID)
  case noSuchContainer(String)
  case cgroup(path: String, reason: String)
  case commandNotFound(String)
  case commandNotStarted(String, SystemCallError)
  case frequencyTooHigh(asked: Int, limit: Int)
  case systemCall(SystemCallError)
  case trace(TraceError)

  /// Whether a capability or a security module is in the way, rather than the kernel's abilities.
  package var isPrivilege: Bool {
    switch self {
    case .missingPrivileges: true
    case .refused(_, let code, _): code == 1 || code == 13
    default: false
    }
  }

  /// Whether the kernel cannot do it at all.
  package var isKernel: Bool {
    switch self {
    case .kernelTooOld, .noBTF, .nestedProcessNamespace: true
    case .refused: !isPrivilege
    default: false
    }
  }
}

extension RecorderError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .missingPrivileges(let names):
      """
      recording needs \(names.joined(separator: ", ")), which this process does not have. Run it as root (sudo), or give \
      the binary its capabilities: setcap cap_bpf,cap_perfmon,cap_sys_ptrace,cap_dac_read_search,cap_syslog,cap_checkpoint_restore+ep pyrorec
      """
    case .refused(let operation, let code, let detail):
      if code == 1 || code == 13 {
        """
        the kernel does not permit \(operation) (errno \(code)) although the capabilities are there: a container's seccomp \
        profile or kernel lockdown forbids it. Allow bpf(2) and perf_event_open(2), or run outside the container.\(Self.indented(detail))
        """
      } else {
        "the kernel refused \(operation) (errno \(code)).\(Self.indented(detail))"
      }
    case .kernelTooOld(let release, let needs, let feature):
      "kernel \(release) is too old: \(feature) needs \(needs) or newer"
    case .noBTF(let path):
      """
      \(path): not there. The kernel was built without BTF (CONFIG_DEBUG_INFO_BTF=y), which the sampler needs to find \
      its way in kernel structures; boot a kernel that has it
      """
    case .nestedProcessNamespace(let name):
      """
      this process runs in a PID namespace of its own (\(name)), as in a container: the kernel would report samples under \
      process numbers that mean nothing here. Record on the host, or give the container the host's PID namespace (docker run \
      --pid=host, in Kubernetes hostPID: true)
      """
    case .noSuchProcess(let pid): "no process has the number \(pid) (it may have ended); look with `ps`"
    case .noSuchContainer(let id): "no running process belongs to a container whose id begins with `\(id)`"
    case .cgroup(let path, let reason): "\(path): \(reason)"
    case .commandNotFound(let name): "\(name): command not found"
    case .commandNotStarted(let name, let error): "\(name): cannot be executed: \(error.reason)"
    case .frequencyTooHigh(let asked, let limit):
      "\(asked) samples a second are more than the kernel allows (\(limit)); raise it with `sysctl kernel.perf_event_max_sample_rate=\(asked)`"
    case .systemCall(let error): error.description
    case .trace(let error): "\(error)"
    }
  }

  private static func indented(_ detail: String) -> String {
    detail.isEmpty ? "" : "\n" + detail.split(separator: "\n").suffix(12).map { "  " + $0 }.joined(separator: "\n")
  }
}
