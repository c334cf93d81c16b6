#if canImport(Glibc)
  import Glibc
#else
  import Musl
#endif
import Base
import Synchronization

/// A request as it came in.
package struct LoopbackRequest: Sendable {
  package let method: String
  package let path: String
  /// Names in lower case.
  package let headers: [String: String]
  package let body: [UInt8]

  package init(method: String, path: String, headers: [String: String], body: [UInt8]) {
    self.method = method
    self.path = path
    self.headers = headers
    self.body = body
  }
}

/// What the server does with a request.
package indirect enum LoopbackAnswer: Sendable {
  case respond(status: Int, headers: [(String, String)] = [], body: [UInt8] = [])
  /// These bytes and nothing else, then the connection ends.
  case raw([UInt8])
  /// The connection ends without an answer.
  case close
  case after(milliseconds: Int, LoopbackAnswer)
  /// A body that comes piece by piece, each after so many milliseconds; then the connection ends.
  case pieces(status: Int, [(milliseconds: Int, bytes: [UInt8])])

  package static func respond(
    status: Int, headers: [(String, String)] = [], text: String, type: String = "application/json"
  ) -> LoopbackAnswer {
    .respond(status: status, headers: headers + [("Content-Type", type)], body: Array(text.utf8))
  }
}

/// An HTTP/1.1 server on 127.0.0.1 that does what it is told, on threads of its own, as long as the process lives.
package final class LoopbackServer: Sendable {
  /// 0 for one at a path.
  package let port: UInt16
  private let log = LoopbackLog()

  /// - Parameters:
  ///   - port: 0 for any that is free.
  ///   - path: of a socket, instead of a port.
  ///   - hangsUp: ends every connection before reading from it.
  ///   - handler: called with each whole request and its number, counted from 0.
  package init(
    port: UInt16 = 0, path: String? = nil, hangsUp: Bool = false, _ handler: @escaping @Sendable (LoopbackRequest, Int) -> LoopbackAnswer
  ) throws {
    let (listener, port) = try path.map { (try Self.listen(path: $0), 0) } ?? Self.listen(port)
    self.port = port
    let log = log
    Self.startThread {
      while true {
        let connection = accept(listener, nil, nil)
        if connection < 0 {
          if errno == EINTR || errno == ECONNABORTED { continue }
          return
        }
        Self.startThread {
          if !hangsUp { LoopbackConnection(descriptor: connection).serve(log, handler) }
          close(connection)
        }
      }
    }
  }

  /// A server that gives the answers one after another, and the last one from then on.
  package convenience init(answers: [LoopbackAnswer]) throws {
    try self.init { _, number in answers[min(number, answers.count - 1)] }
  }

  package var url: String { "http://127.0.0.1:\(port)" }

  /// Whole requests so far, in the order they came in.
  package var requests: [LoopbackRequest] { log.requests.withLock { $0 } }

  /// A port of 127.0.0.1 where nobody listens.
  package static func unusedPort() throws -> UInt16 {
    let (listener, port) = try listen(0)
    close(listener)
    return port
  }

  private static func listen(path: String) throws -> Int32 {
    let listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let isBound =
      withUnsafeMutableBytes(of: &address.sun_path) { room in
        guard path.utf8.count < room.count else { return false }
        room.copyBytes(from: path.utf8)
        return true
      }
      && withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          bind(listener, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0 && Glibc.listen(listener, 64) == 0
        }
      }
    guard isBound else { throw SystemCallError(call: "bind", path: path, code: errno) }
    return listener
  }

  private static func listen(_ port: UInt16) throws -> (Int32, UInt16) {
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    var on: Int32 = 1
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let bound = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        bind(listener, address, length) == 0 && Glibc.listen(listener, 64) == 0
          && getsockname(listener, address, &length) == 0
      }
    }
    guard bound else { throw SystemCallError(call: "bind", path: "127.0.0.1:\(port)", code: errno) }
    return (listener, UInt16(bigEndian: address.sin_port))
  }

  private final class Work: Sendable {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }

  private static func startThread(_ body: @escaping @Sendable () -> Void) {
    var thread = pthread_t()
    let work = Unmanaged.passRetained(Work(body))
    let started = pthread_create(
      &thread, nil,
      { context in
        if let context { Unmanaged<Work>.fromOpaque(context).takeRetainedValue().body() }
        return nil
      }, work.toOpaque())
    precondition(started == 0, "no thread to be had")
    pthread_detach(thread)
  }
}

/// The requests of all connections.
private final class LoopbackLog: Sendable {
  let requests = Mutex<[LoopbackRequest]>([])

  /// The request's number.
  func add(_ request: LoopbackRequest) -> Int {
    requests.withLock {
      $0.append(request)
      return $0.count - 1
    }
  }
}

/// One connection: requests are read whole and answered one by one.
private struct LoopbackConnection {
  let descriptor: Int32

  func serve(_ log: LoopbackLog, _ handler: (LoopbackRequest, Int) -> LoopbackAnswer) {
    var pending: [UInt8] = []
    while let request = next(&pending) {
      guard perform(handler(request, log.add(request))) else { return }
    }
  }

  /// Whether the connection goes on.
  private func perform(_ answer: LoopbackAnswer) -> Bool {
    switch answer {
    case .close: return false
    case .raw(let bytes):
      send(bytes)
      return false
    case .after(let milliseconds, let answer):
      usleep(UInt32(milliseconds) * 1000)
      return perform(answer)
    case .pieces(let status, let pieces):
      guard send(Array("HTTP/1.1 \(status) Answer\r\nConnection: close\r\n\r\n".utf8)) else { return false }
      for piece in pieces {
        usleep(UInt32(piece.milliseconds) * 1000)
        if !send(piece.bytes) { break }
      }
      return false
    case .respond(let status, let headers, let body):
      var head = "HTTP/1.1 \(status) Answer\r\nContent-Length: \(body.count)\r\n"
      for (name, value) in headers { head += "\(name): \(value)\r\n" }
      return send(Array((head + "\r\n").utf8) + body)
    }
  }

  @discardableResult
  private func send(_ bytes: [UInt8]) -> Bool {
    var done = 0
    while done < bytes.count {
      let put = bytes[done...].withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
      if put <= 0 { return false }
      done += put
    }
    return true
  }

  /// `nil` when the other side has nothing more to say, or says it badly.
  private func next(_ pending: inout [UInt8]) -> LoopbackRequest? {
    var end: Int?
    while end == nil {
      if let first = pending.first, !(0x41...0x5a).contains(first) {
        // Not a method: TLS, say. Real servers answer this way too.
        send(Array("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n".utf8))
        return nil
      }
      end = pending.firstRange(of: Array("\r\n\r\n".utf8))?.upperBound
      if end == nil, pending.count > 1 << 16 || !receive(&pending) { return nil }
    }
    guard let end else { return nil }
    let lines = String(decoding: pending[..<(end - 4)], as: UTF8.self).split(separator: "\r\n")
    let words = lines.first?.split(separator: " ") ?? []
    guard words.count == 3 else { return nil }
    var headers: [String: String] = [:]
    for line in lines.dropFirst() {
      let parts = line.split(separator: ":", maxSplits: 1)
      guard parts.count == 2 else { return nil }
      headers[parts[0].lowercased()] = String(parts[1].drop { $0 == " " })
    }
    let length = headers["content-length"].flatMap { Int($0) } ?? 0
    guard length >= 0, length <= 1 << 29 else { return nil }
    while pending.count < end + length { if !receive(&pending) { return nil } }
    let body = Array(pending[end..<(end + length)])
    pending.removeFirst(end + length)
    return LoopbackRequest(method: String(words[0]), path: String(words[1]), headers: headers, body: body)
  }

  private func receive(_ pending: inout [UInt8]) -> Bool {
    var piece = [UInt8](repeating: 0, count: 1 << 16)
    let got = retryingOnInterrupt { recv(descriptor, &piece, piece.count, 0) }
    guard got > 0 else { return false }
    pending.append(contentsOf: piece[..<got])
    return true
  }
}
