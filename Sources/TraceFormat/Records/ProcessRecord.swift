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
