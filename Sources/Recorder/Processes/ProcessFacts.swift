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
  /// Whether nothing is left of it but its number: it has no arguments any more.
  var isZombie = false
  /// Whether its first thread was on a CPU, or waited for one, when `stat` was read.
  var isRunning = false

  /// Bytes of a command line that are kept: enough to tell two programs apart, not a megabyte of arguments.
  static let commandLineLimit = 16 * 1024
  static let textLimit = 64 * 1024
  /// `_SC_CLK_TCK` is 100 on every Linux that perf runs on.
  static let nanosecondsPerTick: UInt64 = 10_000_000
  private static let kernelThreadFlag: UInt64 = 0x0020_0000  // PF_KTHREAD, linux/sched.h
  private static let namespaceKinds = ["cgroup", "ipc", "mnt", "net", "pid", "user", "uts"]

  init() {}

  /// What many processes say alike, so that it is taken apart once.
  struct Recent {
    fileprivate var cgroupText: [UInt8] = []
    fileprivate var cgroup = ""
    fileprivate var containerID = ""
  }

  /// `nil` when the process is gone.
  /// - Parameter isNewProgram: the process just ran a program: its name and its start are known from elsewhere and stay as
  ///   they are here, which spares a file.
  /// - Parameter stat: the process' `stat` if it was read before.
  init?(
    process: UInt32, isNewProgram: Bool = false, stat: [UInt8]? = nil, recent: inout Recent, in files: any ProcessFileSystem
  ) {
    let status = isNewProgram ? try? files.read("\(process)/status", limit: Self.textLimit) : nil
    if status == nil {
      guard let stat = stat ?? Self.stat(of: process, in: files), readStat(stat) else { return nil }
    }
    if isKernelThread { return }
    executable = (try? files.link("\(process)/exe")) ?? ""
    commandLine = Self.commandLine(of: process, in: files)
    if let text = try? files.read("\(process)/cgroup", limit: Self.textLimit) {
      if text != recent.cgroupText {
        recent.cgroupText = text
        recent.cgroup = String(decoding: text, as: UTF8.self)
        recent.containerID = ContainerID.find(inCgroupFile: recent.cgroup) ?? ""
      }
      cgroup = recent.cgroup
      containerID = recent.containerID
    }
    namespaces.reserveCapacity(Self.namespaceKinds.count)
    for kind in Self.namespaceKinds {
      guard let link = try? files.link("\(process)/ns/\(kind)"), let inode = Self.namespaceInode(link) else { continue }
      namespaces.append(ProcessRecord.Namespace(kind: kind, inode: inode))
    }
    if let status = status ?? (try? files.read("\(process)/status", limit: Self.textLimit)) { readStatus(status) }
  }

  /// The link reads `mnt:[4026531841]`.
  private static func namespaceInode(_ link: String) -> UInt64? {
    var inode: UInt64?
    var isOpen = false
    for byte in link.utf8 {
      switch byte {
      case UInt8(ascii: "["): isOpen = true
      case UInt8(ascii: "]"): return inode
      case 0x30...0x39 where isOpen: inode = (inode ?? 0) &* 10 &+ UInt64(byte &- 0x30)
      default: if isOpen { return nil }
      }
    }
    return nil
  }

  static func stat(of process: UInt32, in files: any ProcessFileSystem) -> [UInt8]? {
    try? files.read("\(process)/stat", limit: textLimit)
  }

  /// Whether a process' `stat` says that its first thread is on a CPU, or waits for one.
  static func isRunning(_ stat: [UInt8]) -> Bool {
    guard let close = stat.lastIndex(of: UInt8(ascii: ")")), close + 2 < stat.count else { return false }
    return stat[close + 2] == UInt8(ascii: "R")
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
    isRunning = fields.first?.elementsEqual("R".utf8) ?? false
    parent = UInt32(truncatingIfNeeded: number(1))
    isKernelThread = number(6) & Self.kernelThreadFlag != 0
    startNanoseconds = number(19).multipliedReportingOverflow(by: Self.nanosecondsPerTick).partialValue
    return true
  }

  /// Of what `stat` says too, only the parent.
  private mutating func readStatus(_ text: [UInt8]) {
    var lineStart = 0
    while lineStart < text.count {
      let line = text[lineStart...]
      if line.starts(with: "State:\tZ".utf8) {
        isZombie = true
      } else if line.starts(with: "PPid:".utf8) {
        parent = Self.number(text, from: lineStart + 5) ?? parent
      } else if line.starts(with: "Uid:".utf8) {
        userID = Self.number(text, from: lineStart + 4) ?? .max
        return
      }
      guard let end = line.firstIndex(of: UInt8(ascii: "\n")) else { return }
      lineStart = end + 1
    }
  }

  /// The decimal number after blanks.
  private static func number(_ text: [UInt8], from start: Int) -> UInt32? {
    let digits = text[start...].drop { $0 == 0x20 || $0 == 0x09 }.prefix { (0x30...0x39).contains($0) }
    return UInt32(String(decoding: digits, as: UTF8.self))
  }
}
