/// The `service_name` of a process that no configuration speaks of: never empty, the same for every process of a program.
package enum ServiceName {
  package static func infer(executable: String, comm: String, isKernelThread: Bool) -> String {
    if isKernelThread { return "kernel" }
    // A deleted program is the same service as the one that was there before.
    let path = executable.hasSuffix(" (deleted)") ? String(executable.dropLast(10)) : executable
    if let name = path.split(separator: "/").last, !name.isEmpty { return String(name) }
    return comm.isEmpty ? "unspecified" : comm
  }
}
