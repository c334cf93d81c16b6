import Base
import Targets
import TraceFormat

/// What `/proc/PID` says of a running process and stops saying when it ends.
struct ProcessFacts {
  var comm = ""
  var executable = ""
  var commandLine: [String] = []
  var cgroup = ""
  var containerID = ""
  var namespaces: [ProcessRecord.Namespace] = []
  var userID = UInt32.max
  var parent: UInt32 = 0
  /// Field 22 of `/proc/PID/stat` in nanoseconds since boot: whole ticks of 10 ms.
  var startNanoseconds: UInt64 = 0
  var isKernelThread = false

  /// Bytes of a command line that are kept: enough to tell two programs apart, not a megabyte of arguments.
  static let commandLineLimit = 16 * 1024
  static let textLimit = 64 * 1024
  /// `_SC_CLK_TCK` is 100 on every Linux that perf runs on.
  static let nanosecondsPerTick: UInt64 = 10_000_000
  private static let kernelThreadFlag: UInt64 = 0x0020_0000  // PF_KTHREAD, linux/sched.h
  private static let namespaceKinds = ["cgroup", "ipc", "mnt", "net", "pid", "user", "uts"]

  init() {}

  /// `nil` when the process is gone.
  init?(process: UInt32, in files: any ProcessFileSystem) {
    guard let stat = try? files.read("\(process)/stat", limit: Self.textLimit), readStat(stat) else { return nil }
    if isKernelThread { return }
    executable = (try? files.link("\(process)/exe")) ?? ""
    commandLine = Self.commandLine(of: process, in: files)
    if let text = try? files.read("\(process)/cgroup", limit: Self.textLimit) {
      cgroup = String(decoding: text, as: UTF8.self)
      containerID = ContainerID.find(inCgroupFile: cgroup) ?? ""
    }
    for kind in Self.namespaceKinds {
      // The link reads `mnt:[4026531841]`.
      guard let link = try? files.link("\(process)/ns/\(kind)"),
        let open = link.firstIndex(of: "["), link.last == "]",
        let inode = UInt64(link[link.index(after: open)..<link.index(before: link.endIndex)])
      else { continue }
      namespaces.append(ProcessRecord.Namespace(kind: kind, inode: inode))
    }
    if let status = try? files.read("\(process)/status", limit: Self.textLimit) { readUserID(status) }
  }

  static func commandLine(of process: UInt32, in files: any ProcessFileSystem) -> [String] {
    // A longer one than the limit is an error to `read`, so ask for the head of it.
    guard let text = try? files.read("\(process)/cmdline", limit: 4 << 20) else { return [] }
    var arguments = text.prefix(commandLineLimit).split(separator: 0, omittingEmptySubsequences: false)
    if arguments.last?.isEmpty == true { arguments.removeLast() }
    return arguments.map { String(decoding: $0, as: UTF8.self) }
  }

  private mutating func readStat(_ text: [UInt8]) -> Bool {
    // The name stands in parentheses and may itself hold blanks and parentheses: the last one ends it.
    guard let open = text.firstIndex(of: UInt8(ascii: "(")), let close = text.lastIndex(of: UInt8(ascii: ")")),
      open < close
    else { return false }
    comm = String(decoding: text[(open + 1)..<close], as: UTF8.self)
    let fields = text[(close + 1)...].split { $0 == 0x20 || $0 == 0x0a }
    func number(_ index: Int) -> UInt64 { UInt64(String(decoding: fields[index], as: UTF8.self)) ?? 0 }
    guard fields.count > 19 else { return false }
    parent = UInt32(truncatingIfNeeded: number(1))
    isKernelThread = number(6) & Self.kernelThreadFlag != 0
    startNanoseconds = number(19).multipliedReportingOverflow(by: Self.nanosecondsPerTick).partialValue
    return true
  }

  private mutating func readUserID(_ text: [UInt8]) {
    for line in text.split(separator: UInt8(ascii: "\n")) where line.starts(with: "Uid:".utf8) {
      let fields = line.split { $0 == 0x20 || $0 == 0x09 }
      if fields.count > 1 { userID = UInt32(String(decoding: fields[1], as: UTF8.self)) ?? .max }
      return
    }
  }
}
