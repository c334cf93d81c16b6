public import Base

/// One program run by one process, as it was seen while it ran.
///
/// A record with a handle seen before replaces the earlier one: facts that arrive late (a command line read
/// a millisecond after the `exec`) are written when they are known.
public struct ProcessRecord: Hashable, Sendable {
  public var handle: ProcessHandle
  public var identity: ProcessIdentity
  /// 0 when not known.
  public var parent: ProcessID
  /// When this program began to run (recording's start for those found running).
  public var time: MonotonicInstant
  /// The main thread's name, at most 15 bytes in the kernel; any bytes.
  public var comm: String
  /// The target of `/proc/PID/exe`; empty for kernel threads and when it could not be read.
  public var executable: String
  /// The arguments, without their NULs.
  public var commandLine: [String]
  /// `/proc/PID/cgroup` as it was read.
  public var cgroup: String
  /// Empty when the process is in no container that `cgroup` names.
  public var containerID: String
  /// Kind (`mnt`, `pid`, …) and inode number, sorted by kind.
  public var namespaces: [Namespace]
  /// Real user id; `UInt32.max` when not known.
  public var userID: UInt32
  public var isKernelThread: Bool

  public struct Namespace: Hashable, Sendable {
    public var kind: String
    public var inode: UInt64
    public init(kind: String, inode: UInt64) {
      self.kind = kind
      self.inode = inode
    }
  }

  public init(handle: ProcessHandle, identity: ProcessIdentity, time: MonotonicInstant) {
    self.handle = handle
    self.identity = identity
    self.time = time
    parent = ProcessID(0)
    comm = ""
    executable = ""
    commandLine = []
    cgroup = ""
    containerID = ""
    namespaces = []
    userID = .max
    isKernelThread = false
  }
}

/// A process ended, or the program in it was replaced by `exec`.
public struct ProcessEndRecord: Hashable, Sendable {
  public var handle: ProcessHandle
  public var time: MonotonicInstant
  public init(handle: ProcessHandle, time: MonotonicInstant) {
    self.handle = handle
    self.time = time
  }
}

/// A thread under the name it had from `time` on; a renamed thread gets a new handle.
public struct ThreadRecord: Hashable, Sendable {
  public var handle: ThreadHandle
  public var process: ProcessHandle
  public var id: ThreadID
  public var time: MonotonicInstant
  public var comm: String
  public init(handle: ThreadHandle, process: ProcessHandle, id: ThreadID, time: MonotonicInstant, comm: String) {
    self.handle = handle
    self.process = process
    self.id = id
    self.time = time
    self.comm = comm
  }
}

extension ProcessRecord: SegmentRecord {
  public static let kind = RecordKind.process

  public func encode(into writer: inout ByteWriter) {
    writer.handle(handle)
    writer.number(identity.pid.rawValue)
    writer.number(identity.startNanoseconds)
    writer.number(parent.rawValue)
    writer.instant(time)
    writer.flag(isKernelThread)
    writer.number(userID)
    writer.text(comm)
    writer.text(executable)
    let arguments = Self.fitting(commandLine)
    writer.number(UInt64(arguments.count))
    for argument in arguments { writer.lengthPrefixed(Array(argument)) }
    writer.text(cgroup)
    writer.text(containerID)
    writer.number(UInt64(namespaces.count))
    for namespace in namespaces {
      writer.text(namespace.kind)
      writer.number(namespace.inode)
    }
  }

  /// As many arguments as the limit lets in, the last of them perhaps cut.
  private static func fitting(_ commandLine: [String]) -> [ArraySlice<UInt8>] {
    var left = Limits.commandLineByteCount
    var fitting: [ArraySlice<UInt8>] = []
    for argument in commandLine where left > 0 && fitting.count < Limits.listCount {
      let bytes = Array(argument.utf8).prefix(left)
      left -= bytes.count + 1
      fitting.append(bytes)
    }
    return fitting
  }

  public init(from cursor: inout ByteCursor) throws(MalformedInput) {
    handle = try cursor.handle("process.handle")
    identity = ProcessIdentity(
      pid: ProcessID(try cursor.number("process.pid")), startNanoseconds: try cursor.uleb128("process.start"))
    parent = ProcessID(try cursor.number("process.parent"))
    time = try cursor.instant("process.time")
    isKernelThread = try cursor.flag("process.is_kernel_thread")
    userID = try cursor.number("process.user_id")
    comm = try cursor.text("process.comm")
    executable = try cursor.text("process.executable")
    commandLine = []
    for _ in 0..<(try cursor.count("process.argument_count")) {
      commandLine.append(try cursor.text("process.argument"))
    }
    cgroup = try cursor.text("process.cgroup")
    containerID = try cursor.text("process.container_id")
    namespaces = []
    for _ in 0..<(try cursor.count("process.namespace_count")) {
      let kind = try cursor.text("process.namespace_kind")
      namespaces.append(Namespace(kind: kind, inode: try cursor.uleb128("process.namespace_inode")))
    }
  }
}

extension ProcessEndRecord: SegmentRecord {
  public static let kind = RecordKind.processEnd

  public func encode(into writer: inout ByteWriter) {
    writer.handle(handle)
    writer.instant(time)
  }

  public init(from cursor: inout ByteCursor) throws(MalformedInput) {
    handle = try cursor.handle("process_end.handle")
    time = try cursor.instant("process_end.time")
  }
}

extension ThreadRecord: SegmentRecord {
  public static let kind = RecordKind.thread

  public func encode(into writer: inout ByteWriter) {
    writer.handle(handle)
    writer.handle(process)
    writer.number(id.rawValue)
    writer.instant(time)
    writer.text(comm)
  }

  public init(from cursor: inout ByteCursor) throws(MalformedInput) {
    handle = try cursor.handle("thread.handle")
    process = try cursor.handle("thread.process")
    id = ThreadID(try cursor.number("thread.id"))
    time = try cursor.instant("thread.time")
    comm = try cursor.text("thread.comm")
  }
}
