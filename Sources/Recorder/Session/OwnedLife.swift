import Glibc

/// A process whose end the recording waits for.
final class OwnedLife {
  let pid: UInt32
  /// A pidfd, readable once the process ended; -1 where the kernel gave none.
  let descriptor: Int32
  var isForgotten = false

  init(pid: UInt32) {
    self.pid = pid
    descriptor = ProcessDescriptor.open(pid)
  }
  deinit { if descriptor >= 0 { _ = close(descriptor) } }

  var hasEnded: Bool {
    guard descriptor >= 0 else { return kill(pid_t(bitPattern: pid), 0) != 0 && errno == ESRCH }
    var poll = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    return unsafe Glibc.poll(&poll, 1, 0) == 1
  }
}
