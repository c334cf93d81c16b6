import Base
import Glibc

/// Tells systemd how it goes (sd_notify(3)): one datagram a message to the socket that `NOTIFY_SOCKET` names.
struct ServiceNotifier: Sendable {
  private let address: String?
  /// How often systemd wants to hear that the agent lives; `nil` for never. Nanoseconds.
  let watchdogNanoseconds: UInt64?

  /// - Parameter environment: what variables hold.
  init(environment: (String) -> String?, process: Int32) {
    let name = environment("NOTIFY_SOCKET") ?? ""
    // An abstract name begins with `@`; `vsock:` is for machines.
    address = (name.hasPrefix("/") || name.hasPrefix("@")) && (2...107).contains(name.utf8.count) ? name : nil
    var interval = environment("WATCHDOG_USEC").flatMap { UInt64($0) }
    if let other = environment("WATCHDOG_PID"), Int32(other) != process { interval = nil }
    watchdogNanoseconds = interval.flatMap { $0 > 0 ? $0.multipliedReportingOverflow(by: 1000).partialValue : nil }
  }

  func send(_ lines: String...) {
    guard let address else { return }
    let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return }
    let socket = OwnedDescriptor(owning: descriptor)
    var name = sockaddr_un()
    name.sun_family = sa_family_t(AF_UNIX)
    var bytes = Array(address.utf8)
    if bytes[0] == UInt8(ascii: "@") { bytes[0] = 0 }
    // Safe: at most 107 of the 108 bytes are written.
    unsafe withUnsafeMutableBytes(of: &name.sun_path) { unsafe $0.copyBytes(from: bytes) }
    let length = socklen_t(MemoryLayout<sa_family_t>.size + bytes.count)
    let message = Array(lines.joined(separator: "\n").utf8)
    // Safe: pointers to locals, used only in the call; nobody waits for an answer.
    _ = unsafe withUnsafePointer(to: &name) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
        unsafe sendto(socket.rawValue, message, message.count, Int32(MSG_NOSIGNAL), pointer, length)
      }
    }
  }
}
