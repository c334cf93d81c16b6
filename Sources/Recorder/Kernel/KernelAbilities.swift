import Base
import CLibBPF
import Glibc

/// What this kernel and these privileges allow, asked before anything is loaded so that the reason can be named.
enum KernelAbilities {
  /// linux/capability.h
  private static let required: [(bit: UInt64, name: String)] = [(39, "CAP_BPF"), (38, "CAP_PERFMON")]
  private static let systemAdministrator: UInt64 = 21
  static let typeFormat = "/sys/kernel/btf/vmlinux"
  /// BPF ring buffers came with 5.8; the oldest kernel this is tried on is 5.10.
  private static let oldest = (major: 5, minor: 8)

  /// What a link to the kernel's first PID namespace says: `PROC_PID_INIT_INO` (linux/proc_ns.h) is its inode.
  private static let firstProcessNamespace = "pid:[\(0xEFFF_FFFC)]"

  static func check(files: any ProcessFileSystem, release: String) throws(RecorderError) {
    let effective = effectiveCapabilities(files)
    if effective & 1 << systemAdministrator == 0 {
      let missing = required.filter { effective & 1 << $0.bit == 0 }.map(\.name)
      if !missing.isEmpty { throw .missingPrivileges(missing) }
    }
    let numbers = release.split { !$0.isNumber }.prefix(2).compactMap { Int($0) }
    if numbers.count == 2, (numbers[0], numbers[1]) < oldest {
      throw .kernelTooOld(release: release, needs: "5.8", for: "a BPF ring buffer")
    }
    try checkProcessNamespace(files)
    guard unsafe access(typeFormat, R_OK) == 0 else { throw .noBTF(path: typeFormat) }
  }

  /// The sampler is told the process numbers of the first PID namespace, everything else here those of our own: only where
  /// they are the same does a sample find its process.
  private static func checkProcessNamespace(_ files: any ProcessFileSystem) throws(RecorderError) {
    // Without the link nothing is known, and the recording may well work.
    guard let own = try? files.link("self/ns/pid"), own.hasPrefix("pid:["), own != firstProcessNamespace else { return }
    throw .nestedProcessNamespace(own)
  }

  /// Why the sampler cannot unwind by tables on this kernel, in words; `nil` when it can.
  static func missingForTables() -> String? {
    // enum bpf_func_id, linux/bpf.h: never renumbered.
    let needed: [(number: UInt32, name: String, since: String)] = [
      (181, "bpf_loop", "5.17"), (175, "bpf_task_pt_regs", "5.15"), (158, "bpf_get_current_task_btf", "5.11"),
    ]
    for helper in needed where pyrorec_has_helper(helper.number) == 0 {
      return "the kernel has no \(helper.name), which came with Linux \(helper.since)"
    }
    return nil
  }

  private static func effectiveCapabilities(_ files: any ProcessFileSystem) -> UInt64 {
    guard let status = try? files.read("self/status", limit: 1 << 16) else { return 0 }
    for line in String(decoding: status, as: UTF8.self).split(separator: "\n") where line.hasPrefix("CapEff:") {
      return UInt64(line.dropFirst(7).drop { $0 == "\t" || $0 == " " }, radix: 16) ?? 0
    }
    return 0
  }

  /// Online CPUs, ascending.
  static func onlineCPUs() -> [Int32] {
    guard let bytes = try? contents(of: "/sys/devices/system/cpu/online", limit: 4096) else { return [0] }
    var found: [Int32] = []
    for part in String(decoding: bytes, as: UTF8.self).split(whereSeparator: { $0 == "," || $0 == "\n" }) {
      let ends = part.split(separator: "-").compactMap { Int32($0) }
      guard let first = ends.first, let last = ends.last, first <= last, last < 8192 else { continue }
      found += first...last
    }
    return found.isEmpty ? [0] : found
  }

  static func maximumSampleRate() -> Int {
    guard let bytes = try? contents(of: "/proc/sys/kernel/perf_event_max_sample_rate", limit: 64) else { return .max }
    return Int(String(decoding: bytes, as: UTF8.self).filter(\.isNumber)) ?? .max
  }
}
