import Base

/// What a process has mounted, by `/proc/PID/mountinfo` (proc_pid_mountinfo(5)).
struct TargetMounts {
  struct Mount: Hashable {
    var point: String
    var options: Set<Substring>
    var isReadOnly: Bool { options.contains("ro") }
    var forbidsExecution: Bool { options.contains("noexec") }
  }
  private var mounts: [Mount] = []

  init(process: UInt32) {
    self.init((try? contents(of: "/proc/\(process)/mountinfo", limit: 16 << 20)) ?? [])
  }

  init(_ text: [UInt8]) {
    for line in String(decoding: text, as: UTF8.self).split(separator: "\n") {
      let fields = line.split(separator: " ")
      guard fields.count > 8, let dash = fields.firstIndex(of: "-"), dash + 3 < fields.count else { continue }
      // A file system may be read-only where the mount itself is not.
      let options = fields[5].split(separator: ",") + fields[dash + 3].split(separator: ",").filter { $0 == "ro" }
      mounts.append(Mount(point: Self.unescaped(fields[4]), options: Set(options)))
    }
  }

  /// What covers `path`: the last mount of the longest point.
  func mount(of path: String) -> Mount? {
    var best: Mount?
    for mount in mounts {
      let covers = mount.point == "/" || path == mount.point || path.hasPrefix(mount.point + "/")
      if covers, mount.point.utf8.count >= best?.point.utf8.count ?? 0 { best = mount }
    }
    return best
  }

  /// Blanks and backslashes are written as `\040` and so on.
  private static func unescaped(_ text: Substring) -> String {
    var bytes: [UInt8] = []
    var rest = Array(text.utf8)[...]
    while let byte = rest.first {
      if byte == UInt8(ascii: "\\"), rest.count >= 4,
        let code = UInt8(String(decoding: rest.dropFirst().prefix(3), as: UTF8.self), radix: 8)
      {
        bytes.append(code)
        rest = rest.dropFirst(4)
      } else {
        bytes.append(byte)
        rest = rest.dropFirst()
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
