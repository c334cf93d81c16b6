import Base
import Dispatch
import Glibc
import Synchronization

/// The page with metrics and health, over HTTP/1.1: one request a connection, one connection at a time.
final class StatusServer: Sendable {
  /// What is asked for, and what is said: status and text.
  typealias Answer = @Sendable (_ path: String) -> (status: Int, type: String, text: String)?

  private static let maximumRequestBytes = 8192
  /// How long a connection may take; whoever reads metrics is near.
  private static let patienceSeconds = 5

  private let listener: OwnedDescriptor
  private let isStopped = Mutex(false)
  let port: UInt16

  /// - Parameter address: `HOST:PORT`; an IPv6 host in brackets, port 0 for any.
  init(_ address: String, _ answer: @escaping Answer) throws(AgentError) {
    guard let colon = address.lastIndex(of: ":") else { throw .address(address, why: "an address is HOST:PORT") }
    var host = String(address[..<colon])
    if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
    let bound = try Self.listen(address, host: host, port: String(address[address.index(after: colon)...]))
    listener = OwnedDescriptor(owning: bound.descriptor)
    port = bound.port
    let raw = listener.rawValue
    DispatchQueue(label: "pyrorec.status").async { [self] in
      while !isStopped.withLock({ $0 }) { Self.serve(raw, answer) }
    }
  }

  func stop() {
    isStopped.withLock { $0 = true }
    // Ends the wait for a connection.
    _ = shutdown(listener.rawValue, Int32(SHUT_RDWR))
  }

  private static func listen(_ address: String, host: String, port: String) throws(AgentError) -> (descriptor: Int32, port: UInt16) {
    var hints = unsafe addrinfo()
    unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    unsafe hints.ai_flags = Int32(AI_PASSIVE) | Int32(AI_NUMERICSERV)
    var found: UnsafeMutablePointer<addrinfo>?
    // Safe: the strings outlive the call; the list is freed below.
    let result = unsafe getaddrinfo(host.isEmpty ? nil : host, port, &hints, &found)
    guard result == 0, let first = unsafe found else {
      throw .address(address, why: unsafe String(cString: gai_strerror(result)))
    }
    defer { unsafe freeaddrinfo(first) }
    // Safe: `getaddrinfo` gave at least one entry.
    let descriptor = unsafe socket(first.pointee.ai_family, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw .address(address, why: SystemCallError(call: "socket", path: address, code: errno).reason) }
    var on: Int32 = 1
    // Safe: the option is four bytes of a local.
    _ = unsafe setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, 4)
    guard unsafe bind(descriptor, first.pointee.ai_addr, first.pointee.ai_addrlen) == 0, Glibc.listen(descriptor, 16) == 0 else {
      let code = errno
      _ = close(descriptor)
      throw .address(address, why: SystemCallError(call: "bind", path: address, code: code).reason)
    }
    var bound = sockaddr_in6()
    var length = socklen_t(MemoryLayout<sockaddr_in6>.size)
    // Safe: both kinds of address fit and have their port at the same place.
    let got = unsafe withUnsafeMutablePointer(to: &bound) {
      unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe getsockname(descriptor, $0, &length) }
    }
    return (descriptor, got == 0 ? UInt16(bigEndian: bound.sin6_port) : 0)
  }

  private static func serve(_ listener: Int32, _ answer: Answer) {
    let descriptor = accept(listener, nil, nil)
    guard descriptor >= 0 else {
      // Too many files, say: not in a hurry again.
      if errno != EINTR, errno != ECONNABORTED { usleep(100_000) }
      return
    }
    let connection = OwnedDescriptor(owning: descriptor)
    var patience = timeval(tv_sec: patienceSeconds, tv_usec: 0)
    for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
      // Safe: the option is a local structure of that size.
      _ = unsafe setsockopt(descriptor, SOL_SOCKET, option, &patience, socklen_t(MemoryLayout<timeval>.size))
    }
    var request: [UInt8] = []
    while request.firstRange(of: Array("\r\n\r\n".utf8)) == nil {
      guard request.count < maximumRequestBytes, let more = try? connection.readNext(count: 4096, path: "status"), !more.isEmpty
      else { return }
      request += more
    }
    let words = String(decoding: request.prefix { $0 != 0x0d }, as: UTF8.self).split(separator: " ")
    guard words.count == 3 else { return }
    var reply = (status: 405, type: "text/plain; charset=utf-8", text: "only GET is answered\n")
    if words[0] == "GET" || words[0] == "HEAD" {
      let path = String(words[1].prefix { $0 != "?" })
      reply = answer(path) ?? (404, "text/plain; charset=utf-8", "not found\n")
    }
    let body = words[0] == "HEAD" ? "" : reply.text
    let head =
      "HTTP/1.1 \(reply.status) \(reply.status == 200 ? "OK" : "Not OK")\r\nContent-Type: \(reply.type)\r\n"
      + "Content-Length: \(reply.text.utf8.count)\r\nConnection: close\r\n\r\n"
    try? connection.write(Array((head + body).utf8).borrowedBytes, path: "status")
  }
}
