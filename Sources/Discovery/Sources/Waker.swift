import Base
import Glibc

/// Something that can be waited for: set once by one thread, seen by all that look or wait.
package final class Waker: Sendable {
  /// Readable when it is set; lives as long as this.
  package var descriptor: Int32 { reader.rawValue }
  private let reader: OwnedDescriptor
  private let writer: OwnedDescriptor

  package init() throws(DiscoveryError) {
    var pair: [Int32] = [-1, -1]
    let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
    // Safe: two elements, as the call fills.
    guard unsafe socketpair(AF_UNIX, kind, 0, &pair) == 0 else {
      throw DiscoveryError("\(SystemCallError(call: "socketpair", path: "discovery", code: errno))")
    }
    reader = OwnedDescriptor(owning: pair[0])
    writer = OwnedDescriptor(owning: pair[1])
  }

  package func set() {
    var one: UInt8 = 1
    // Safe: one byte of a local; a socket that is full is set already.
    _ = unsafe send(writer.rawValue, &one, 1, Int32(MSG_NOSIGNAL))
  }

  /// Makes it unset again.
  package func clear() {
    var bytes = [UInt8](repeating: 0, count: 64)
    // Safe: as many bytes as there is room for.
    while unsafe recv(reader.rawValue, &bytes, bytes.count, 0) == bytes.count {}
  }

  package var isSet: Bool { wait(milliseconds: 0) }

  /// - Returns: whether it is set.
  @discardableResult
  package func wait(milliseconds: Int) -> Bool { Waker.wait([self], milliseconds: milliseconds)[0] }

  /// Waits until one of them is set, so long at most.
  package static func wait(_ wakers: [Waker], milliseconds: Int) -> [Bool] {
    var polled = wakers.map { pollfd(fd: $0.descriptor, events: Int16(POLLIN), revents: 0) }
    // Safe: as many elements as are named. An interrupted wait is one that was shorter.
    let ready = unsafe poll(&polled, nfds_t(polled.count), Int32(clamping: max(0, milliseconds)))
    return ready > 0 ? polled.map { $0.revents != 0 } : wakers.map { _ in false }
  }
}
