import Base
import CLibBPF
import Glibc

/// Sleeps until one of several descriptors has something.
final class EventWaiter {
  struct Source: OptionSet {
    let rawValue: UInt32
    static let samples = Source(rawValue: 1)
    static let sideband = Source(rawValue: 2)
    static let signal = Source(rawValue: 4)
    static let process = Source(rawValue: 8)
    static let tables = Source(rawValue: 16)
    static let control = Source(rawValue: 32)
  }
  private let descriptor: Int32

  init() throws(RecorderError) {
    descriptor = epoll_create1(Int32(EPOLL_CLOEXEC))
    guard descriptor >= 0 else { throw .systemCall(SystemCallError(call: "epoll_create1", path: "recorder", code: errno)) }
  }
  deinit { _ = close(descriptor) }

  func add(_ other: Int32, _ source: Source) throws(RecorderError) {
    var event = unsafe epoll_event()
    unsafe event.events = EPOLLIN.rawValue
    unsafe event.data.u32 = source.rawValue
    guard unsafe epoll_ctl(descriptor, EPOLL_CTL_ADD, other, &event) == 0 else {
      throw .systemCall(SystemCallError(call: "epoll_ctl", path: "recorder", code: errno))
    }
  }

  func remove(_ other: Int32) {
    guard other >= 0 else { return }
    _ = epoll_ctl(descriptor, EPOLL_CTL_DEL, other, nil)
  }

  func wait(nanoseconds: UInt64) -> Source {
    var events = unsafe [epoll_event](repeating: epoll_event(), count: 64)
    let milliseconds = Int32(clamping: (nanoseconds &+ 999_999) / 1_000_000)
    let count = unsafe epoll_wait(descriptor, &events, 64, milliseconds)
    var found: Source = []
    for index in 0..<Int(max(count, 0)) { found.insert(unsafe Source(rawValue: events[index].data.u32)) }
    return found
  }
}

/// Signals as something to read, so that they interrupt nothing.
final class SignalDescriptor {
  let descriptor: Int32
  private var before = sigset_t()

  init(_ signals: [Int32]) throws(RecorderError) {
    var set = sigset_t()
    _ = unsafe sigemptyset(&set)
    for signal in signals { _ = unsafe sigaddset(&set, signal) }
    _ = unsafe pthread_sigmask(SIG_BLOCK, &set, &before)
    descriptor = unsafe signalfd(-1, &set, Int32(SFD_CLOEXEC | SFD_NONBLOCK))
    guard descriptor >= 0 else { throw .systemCall(SystemCallError(call: "signalfd", path: "recorder", code: errno)) }
  }

  deinit {
    // What came in and was acted upon must not strike again when it is let through.
    while take() {}
    _ = close(descriptor)
    _ = unsafe pthread_sigmask(SIG_SETMASK, &before, nil)
  }

  /// Whether a signal had come.
  func take() -> Bool {
    var info = signalfd_siginfo()
    let size = MemoryLayout<signalfd_siginfo>.size
    return unsafe read(descriptor, &info, size) == size
  }
}

enum ProcessDescriptor {
  /// A pidfd, or -1.
  static func open(_ pid: UInt32) -> Int32 { pyrorec_pidfd_open(pid_t(bitPattern: pid)) }
}

/// The clocks, in nanoseconds.
enum Clock {
  static func monotonic() -> UInt64 { read(CLOCK_MONOTONIC) }

  static func anchor() -> ClockAnchor {
    ClockAnchor(
      monotonic: MonotonicInstant(nanoseconds: read(CLOCK_MONOTONIC)),
      unix: UnixInstant(nanoseconds: Int64(bitPattern: read(CLOCK_REALTIME))), bootNanoseconds: read(CLOCK_BOOTTIME))
  }

  private static func read(_ clock: clockid_t) -> UInt64 {
    var time = timespec()
    _ = unsafe clock_gettime(clock, &time)
    return UInt64(bitPattern: Int64(time.tv_sec)) &* 1_000_000_000 &+ UInt64(bitPattern: Int64(time.tv_nsec))
  }
}

/// `uname(2)`.
struct HostIdentity {
  var machine: String
  var kernelRelease: String
  var kernelVersion: String
  var hostName: String

  static func current() -> HostIdentity {
    var name = utsname()
    _ = unsafe uname(&name)
    func text<Field>(_ field: Field) -> String {
      // Safe: every field of utsname is a fixed array of characters that ends in a NUL.
      unsafe withUnsafeBytes(of: field) { bytes in
        unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
    }
    return HostIdentity(
      machine: text(name.machine), kernelRelease: text(name.release), kernelVersion: text(name.version),
      hostName: text(name.nodename))
  }
}
