import Base
#if canImport(Glibc)
  import Glibc
#else
  import Musl
#endif

// glibc declares `fallocate(2)` only to C that asks for GNU's extensions, which Swift's module of it does not.
@_silgen_name("fallocate") private func allocate(_ descriptor: Int32, _ mode: Int32, _ offset: off_t, _ length: off_t) -> Int32
/// `FALLOC_FL_KEEP_SIZE` of `linux/falloc.h`: blocks past the end, without moving it.
private let keepingSize: Int32 = 1

/// A segment file open for writing: whole frames go on at its end, and what could not be written whole is taken back.
struct SegmentFile: ~Copyable {
  /// Space kept allocated past the end, so that a full disk still leaves room for the index and the trailer.
  static let reservedByteCount = 128 << 10

  let path: String
  private let descriptor: OwnedDescriptor
  /// One past the last whole frame.
  private(set) var end: UInt64
  private var canReserve = true

  /// Creates `path` with mode 0600. A file that is there already moves to `path` with `.old` at its end.
  init(creating path: String) throws(TraceError) {
    do throws(SystemCallError) {
      try Self.setAside(path)
      let created = try OwnedDescriptor(open: path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
      try Self.lock(created, path)
      descriptor = created
    } catch { throw Self.wrapped(error, path) }
    self.path = path
    end = 0
  }

  /// Opens `path` to append to it.
  init(appendingTo path: String) throws(TraceError) {
    do throws(SystemCallError) {
      let opened = try OwnedDescriptor(open: path, O_RDWR)
      try Self.lock(opened, path)
      end = UInt64(try opened.status(path: path).st_size)
      descriptor = opened
    } catch { throw Self.wrapped(error, path) }
    self.path = path
  }

  /// Renames the file at `path`, unless somebody is writing to it.
  static func setAside(_ path: String) throws(SystemCallError) {
    let existing: OwnedDescriptor
    do { existing = try OwnedDescriptor(open: path, O_RDONLY | O_NONBLOCK) } catch {
      if error.code == ENOENT { return }
      throw error
    }
    try lock(existing, path)
    try rename(path, to: path + ".old")
  }

  static func rename(_ path: String, to new: String) throws(SystemCallError) {
    // Safe: both strings outlive the call.
    guard unsafe Glibc.rename(path, new) == 0 else { throw SystemCallError(call: "rename", path: path, code: errno) }
  }

  /// One writer a file: `flock(2)` goes away with the process, however it ends.
  private static func lock(_ descriptor: borrowing OwnedDescriptor, _ path: String) throws(SystemCallError) {
    let raw = descriptor.rawValue
    guard retryingOnInterrupt({ flock(raw, LOCK_EX | LOCK_NB) }) == 0 else {
      // File systems without locks let everybody in.
      if errno == ENOLCK || errno == EOPNOTSUPP || errno == ENOSYS { return }
      throw SystemCallError(call: "flock", path: path, code: errno)
    }
  }

  private static func wrapped(_ error: SystemCallError, _ path: String) -> TraceError {
    error.call == "flock" && error.code == EWOULDBLOCK ? .inUse(path: path) : .system(error)
  }

  /// Writes `bytes`, one or more whole frames, at the end. When that fails nothing of them stays.
  ///
  /// Only what ends the file may use the reserve.
  mutating func append(_ bytes: RawSpan, usingReserve: Bool = false) throws(SystemCallError) {
    if !usingReserve { try reserve(UInt64(bytes.byteCount)) }
    var done = 0
    while done < bytes.byteCount {
      let rest = bytes.extracting(done..<bytes.byteCount)
      let position = off_t(end) + off_t(done)
      let raw = descriptor.rawValue
      // Safe: the pointer is used only inside the closure.
      let put = retryingOnInterrupt { unsafe rest.withUnsafeBytes { unsafe pwrite(raw, $0.baseAddress, $0.count, position) } }
      guard put > 0 else {
        let failure = SystemCallError(call: "write", path: path, code: put == 0 ? ENOSPC : errno)
        if done > 0 { _ = ftruncate(raw, off_t(end)) }
        throw failure
      }
      done += put
    }
    end += UInt64(bytes.byteCount)
  }

  /// Allocates the blocks that the next frame and the reserve after it need, or says that the disk has none.
  /// Where files cannot be allocated nothing is lost but the guarantee.
  private mutating func reserve(_ byteCount: UInt64) throws(SystemCallError) {
    guard canReserve else { return }
    let wanted = off_t(byteCount) + off_t(Self.reservedByteCount)
    guard allocate(descriptor.rawValue, keepingSize, off_t(end), wanted) != 0 else { return }
    if errno == ENOSPC { throw SystemCallError(call: "fallocate", path: path, code: ENOSPC) }
    canReserve = errno == EINTR
  }

  /// Takes back what lies after `offset`.
  mutating func cut(at offset: UInt64) throws(SystemCallError) {
    guard ftruncate(descriptor.rawValue, off_t(offset)) == 0 else {
      throw SystemCallError(call: "ftruncate", path: path, code: errno)
    }
    end = offset
  }

  /// Gives back the reserve, waits until all is on the disk, and lets others write.
  mutating func finish() throws(SystemCallError) {
    try cut(at: end)
    let raw = descriptor.rawValue
    guard retryingOnInterrupt({ fsync(raw) }) == 0 else {
      throw SystemCallError(call: "fsync", path: path, code: errno)
    }
    _ = flock(raw, LOCK_UN)
  }
}

extension TraceError {
  /// Whether it is for want of room on the disk, which may be there again later.
  public var isFullDisk: Bool {
    switch self {
    case .notWritten(_, let cause, _), .system(let cause): cause.code == ENOSPC || cause.code == EDQUOT
    default: false
    }
  }
}
