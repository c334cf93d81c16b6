import Base
import Recorder
import Replayer
import Symbolize
import TraceFormat

/// The root directories, under `/proc`, of recorded processes that still live, in mount namespaces other than ours.
///
/// Only on the machine that recorded: a process is the one that was recorded when its ID and its start time are.
struct RecordedProcessRoots: Sendable {
  private let users: ImageUsers
  private let isThisMachine: Bool
  private let ownNamespace: String?

  init(_ trace: LoadedTrace) {
    users = ImageUsers(trace.contents)
    let header = trace.reader.header
    isThisMachine =
      Self.line("/proc/sys/kernel/hostname") == header.hostName && Self.line("/proc/sys/kernel/version") == header.kernelVersion
    ownNamespace = Self.target("self/ns/mnt")
  }

  /// One of each mount namespace that had the image mapped.
  func paths(for image: ImageIdentity) -> [String] {
    guard isThisMachine, let ownNamespace else { return [] }
    var paths: [String] = []
    var seen: Set<String> = [ownNamespace]
    for process in users.processes(mapping: image) {
      let folder = "/proc/\(process.identity.pid.rawValue)"
      guard Self.isAlive(process, folder), let namespace = Self.target("\(process.identity.pid.rawValue)/ns/mnt"),
        seen.insert(namespace).inserted
      else { continue }
      paths.append(folder + "/root")
    }
    return paths
  }

  private static func isAlive(_ process: ProcessRecord, _ folder: String) -> Bool {
    guard let bytes = try? contents(of: folder + "/stat", limit: 1 << 16) else { return false }
    // The name, in parentheses, may hold anything; `starttime` is the 20th field after it (proc(5)).
    let text = String(decoding: bytes, as: UTF8.self)
    guard let end = text.lastIndex(of: ")") else { return false }
    let fields = text[text.index(after: end)...].split(separator: " ")
    guard fields.count > 19, let ticks = UInt64(fields[19]) else { return false }
    // Ticks of 10 ms on every Linux; the kernel's events are exact.
    let recorded = process.identity.startNanoseconds / 10_000_000
    return max(ticks, recorded) - min(ticks, recorded) <= 1
  }

  private static func line(_ path: String) -> String? {
    guard let bytes = try? contents(of: path, limit: 1 << 16) else { return nil }
    return String(decoding: bytes.prefix { $0 != 0x0a }, as: UTF8.self)
  }

  /// What a link below `/proc` holds.
  private static func target(_ path: String) -> String? {
    try? LiveProcessFileSystem(root: "/proc").link(path)
  }
}
