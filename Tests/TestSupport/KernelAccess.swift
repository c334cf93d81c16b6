import Base
import Glibc
package import Testing

extension Tag {
  /// Loads BPF programs, so it takes a kernel that lets us.
  @Tag package static var kernel: Tag
}

/// Whether BPF programs may be loaded here.
package enum KernelAccess {
  /// Why not; `nil` when they may.
  ///
  /// `PYROREC_REQUIRE_KERNEL=1` says that they may: where something is missing then, the tests fail and name it.
  package static let missing: String? = {
    if Command.environmentValue("PYROREC_REQUIRE_KERNEL") == "1" { return nil }
    if access("/sys/kernel/btf/vmlinux", R_OK) != 0 { return "the kernel has no BTF (/sys/kernel/btf/vmlinux)" }
    let have = effectiveCapabilities
    // CAP_SYS_ADMIN (21) stands for both of the others.
    for (bit, name) in [(39, "CAP_BPF"), (38, "CAP_PERFMON")] where have & (1 << bit | 1 << 21) == 0 {
      return "\(name) is missing: run the tests as root"
    }
    // A container whose seccomp profile forbids bpf() has the capability and is refused all the same.
    if seccomp != 0 && have & (1 << 21) == 0 { return "a seccomp profile forbids bpf() here" }
    return nil
  }()

  /// Whether this process may take another user's identity.
  package static let isRoot = geteuid() == 0

  private static var effectiveCapabilities: UInt64 { UInt64(statusField("CapEff"), radix: 16) ?? 0 }
  private static var seccomp: Int { Int(statusField("Seccomp")) ?? 0 }

  private static func statusField(_ name: String) -> String {
    let text = String(decoding: (try? contents(of: "/proc/self/status", limit: 1 << 16)) ?? [], as: UTF8.self)
    for line in text.split(separator: "\n") where line.hasPrefix(name + ":") {
      return String(line.dropFirst(name.count + 1).filter { $0 != " " && $0 != "\t" })
    }
    return ""
  }
}
