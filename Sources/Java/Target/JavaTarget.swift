import Base
import Glibc

/// What the kernel says of a process that may be a JVM: enough to know whether it may be touched.
package struct JavaTarget: Hashable, Sendable {
  package enum Kind: Hashable, Sendable {
    /// A JVM with the HotSpot attach listener; the path of its `libjvm.so`, as the process sees it.
    case hotSpot(library: String)
    case openJ9
    case other
  }

  package var process: UInt32
  /// Its number in its own PID namespace.
  package var namespaceProcess: UInt32
  /// Effective.
  package var user: UInt32
  package var group: UInt32
  /// Whether it catches SIGQUIT: a process that does not is ended by it.
  package var catchesQuit: Bool
  /// Field 22 of `/proc/PID/stat`, in ticks since boot: another process of the same number has another.
  package var startTicks: UInt64
  /// What it runs, by device and inode: `exec` keeps the process's start.
  package var program: String
  package var kind: Kind
  package var performance: PerformanceData?
  /// `/proc/PID/cmdline`.
  package var arguments: [String]

  private static let mapsLimit = 64 << 20
  private static let textLimit = 1 << 20
  private static let quitBit: UInt64 = 1 << 2

  /// Asks the live `/proc`.
  package init(process: UInt32) throws(JavaError) {
    self.process = process
    let folder = "/proc/\(process)"
    do throws(SystemCallError) {
      let status = Self.fields(of: try contents(of: "\(folder)/status", limit: Self.textLimit))
      namespaceProcess = status["NStgid"]?.last.flatMap { UInt32($0) } ?? process
      user = Self.effective(status["Uid"])
      group = Self.effective(status["Gid"])
      catchesQuit = status["SigCgt"]?.first.flatMap { UInt64($0, radix: 16) }.map { $0 & Self.quitBit != 0 } ?? false
      startTicks = Self.startTicks(try contents(of: "\(folder)/stat", limit: Self.textLimit)) ?? 0
      program = Self.program(of: process)
      arguments = try contents(of: "\(folder)/cmdline", limit: 4 << 20).split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
      let maps = try contents(of: "\(folder)/maps", limit: Self.mapsLimit)
      let mapped = MappedJava(maps)
      kind = mapped.kind
      performance = mapped.performance.flatMap { Self.performance(of: process, $0, user: user) }
    } catch {
      if error.code == ENOENT || error.code == ESRCH { throw .gone(process: process) }
      throw .system(error)
    }
  }

  /// Every process that has a JVM in it, in ascending order; those that cannot be looked at are left out.
  package static func all() -> [JavaTarget] {
    DirectoryListing.names(in: "/proc").compactMap { UInt32($0) }.sorted().filter(isJVM).compactMap { try? JavaTarget(process: $0) }
  }

  /// What it runs, by device and inode; empty where that may not be known.
  static func program(of process: UInt32) -> String {
    var status = stat()
    guard unsafe stat("/proc/\(process)/exe", &status) == 0 else { return "" }
    return "\(status.st_dev):\(status.st_ino)"
  }

  /// Whether a JVM that can be asked is in it.
  package static func isJVM(_ process: UInt32) -> Bool {
    guard let maps = try? contents(of: "/proc/\(process)/maps", limit: Self.mapsLimit), case .hotSpot = MappedJava(maps).kind else {
      return false
    }
    return true
  }

  /// Whether the process of this number is still this one, and runs the same program.
  package var isRunning: Bool {
    guard let text = try? contents(of: "/proc/\(process)/stat", limit: Self.textLimit) else { return false }
    return Self.startTicks(text) == startTicks && Self.program(of: process) == program
  }

  /// `false` when it was started so that nothing may attach; by its own word, else by its arguments.
  package var allowsAttach: Bool {
    if let says = performance?.allowsAttach { return says }
    return !arguments.contains("-XX:+DisableAttachMechanism")
  }

  package var allowsAgents: Bool {
    performance?.allowsAgents ?? !arguments.contains("-XX:-EnableDynamicAgentLoading")
  }

  /// Where it keeps its flight recordings unless told otherwise.
  package var temporaryFolder: String {
    let mark = "-Djava.io.tmpdir="
    let given = performance.map { $0.arguments.split(separator: " ").map(String.init) } ?? arguments
    return given.last { $0.hasPrefix(mark + "/") }.map { String($0.dropFirst(mark.count)) } ?? "/tmp"
  }

  // MARK: /proc

  static func fields(of status: [UInt8]) -> [String: [Substring]] {
    var all: [String: [Substring]] = [:]
    for line in String(decoding: status, as: UTF8.self).split(separator: "\n") {
      guard let colon = line.firstIndex(of: ":") else { continue }
      all[String(line[..<colon])] = line[line.index(after: colon)...].split { $0 == "\t" || $0 == " " }
    }
    return all
  }

  /// Real, effective, saved, of files.
  private static func effective(_ identities: [Substring]?) -> UInt32 {
    guard let identities, identities.count > 1 else { return .max }
    return UInt32(identities[1]) ?? .max
  }

  static func startTicks(_ stat: [UInt8]) -> UInt64? {
    // The name stands in parentheses and may hold blanks and parentheses: the last one ends it.
    guard let close = stat.lastIndex(of: UInt8(ascii: ")")) else { return nil }
    let fields = stat[(close + 1)...].split { $0 == 0x20 || $0 == 0x0a }
    return fields.count > 19 ? UInt64(String(decoding: fields[19], as: UTF8.self)) : nil
  }

  /// From its memory, which no link can lead astray; from the file where memory may not be read.
  private static func performance(of process: UInt32, _ place: MappedJava.Place, user: UInt32) -> PerformanceData? {
    let count = Int(min(place.byteCount, UInt64(PerformanceData.byteLimit)))
    func parse(_ bytes: [UInt8]?) -> PerformanceData? {
      bytes.flatMap { try? PerformanceData($0.borrowedBytes) }
    }
    let memory = "/proc/\(process)/mem"
    let read = try? OwnedDescriptor(open: memory, O_RDONLY).read(at: place.address, count: count, path: memory)
    if let data = parse(read) { return data }
    return parse(try? TargetFiles(process: process, user: user).read(place.path, limit: PerformanceData.byteLimit))
  }
}

/// What a process has mapped that tells of a JVM.
struct MappedJava {
  struct Place: Hashable {
    var address: UInt64
    var byteCount: UInt64
    var path: String
  }
  var kind = JavaTarget.Kind.other
  var performance: Place?

  /// - Parameter maps: the text of `/proc/PID/maps`.
  init(_ maps: [UInt8]) {
    for line in maps.split(separator: UInt8(ascii: "\n")) {
      guard let slash = line.firstIndex(of: UInt8(ascii: "/")), let name = line.lastIndex(of: UInt8(ascii: "/")) else { continue }
      let file = line[line.index(after: name)...]
      if file.starts(with: "libjvm.so".utf8), kind == .other {
        kind = .hotSpot(library: Self.path(line[slash...]))
      } else if file.starts(with: "libj9vm".utf8) {
        kind = .openJ9
      } else if performance == nil, line[slash...name].holds("/hsperfdata_") {
        performance = Self.place(line, path: Self.path(line[slash...]))
      }
    }
    // A JVM with another library's name is still known by what it publishes.
    if kind == .other, performance != nil { kind = .hotSpot(library: "") }
  }

  private static func path(_ bytes: ArraySlice<UInt8>) -> String {
    let path = String(decoding: bytes, as: UTF8.self)
    let mark = " (deleted)"
    return path.hasSuffix(mark) ? String(path.dropLast(mark.count)) : path
  }

  private static func place(_ line: ArraySlice<UInt8>, path: String) -> Place? {
    let range = String(decoding: line.prefix { $0 != 0x20 }, as: UTF8.self).split(separator: "-")
    guard range.count == 2, let start = UInt64(range[0], radix: 16), let end = UInt64(range[1], radix: 16), end > start else { return nil }
    return Place(address: start, byteCount: end - start, path: path)
  }
}

extension ArraySlice<UInt8> {
  /// Whether `text` occurs in it.
  fileprivate func holds(_ text: String) -> Bool {
    let wanted = Array(text.utf8)
    guard count >= wanted.count else { return false }
    return (startIndex...(endIndex - wanted.count)).contains { self[$0..<($0 + wanted.count)].elementsEqual(wanted) }
  }
}
