import Base
import Glibc
import Profile
import Synchronization
import TestSupport

// push-receiver [--port N] [--dir DIR] [--authorization VALUE] [--faults FILE] [--rate BYTES]
//
// Takes pushes on 127.0.0.1 by Pyroscope's rules until it is stopped. Prints its port, then a line a push:
//   accepted SAMPLES SUM TIME_NANOSECONDS LABEL=VALUE…
//   refused REASON
// With --dir, every accepted profile is also written there as text, N.txt. --rate is what it takes a second.
//
// The first word of FILE, read at every request, says what else happens:
//   ok            nothing
//   close         the connection ends unanswered
//   lose          the profile is taken, and the connection ends unanswered
//   hang MS       it is answered after so many milliseconds
//   STATUS [S]    that HTTP status, with Retry-After: S

var port: UInt16 = 0
var directory: String?
var authorization: String?
var faultFile: String?
var limits = PushReceiver.Limits()
var arguments = CommandLine.arguments.dropFirst().makeIterator()
while let flag = arguments.next() {
  let value = arguments.next()
  switch (flag, value) {
  case ("--port", let value?): port = UInt16(value) ?? 0
  case ("--dir", let value?): directory = value
  case ("--authorization", let value?): authorization = value
  case ("--faults", let value?): faultFile = value
  case ("--rate", let value?): limits.bytesPerSecond = Double(value) ?? limits.bytesPerSecond
  default:
    print("usage: push-receiver [--port N] [--dir DIR] [--authorization VALUE] [--faults FILE] [--rate BYTES]")
    exit(64)
  }
}

let receiver = PushReceiver(limits: limits, authorization: authorization) {
  var time = timespec()
  clock_gettime(CLOCK_REALTIME, &time)
  return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
}
let output = directory
let faults = faultFile
let turns = Mutex(())

/// Takes a push and says so.
@Sendable func take(_ request: LoopbackRequest) -> LoopbackAnswer {
  // One after the other, so that the last one accepted is this one.
  turns.withLock { _ in accept(request) }
}

@Sendable func accept(_ request: LoopbackRequest) -> LoopbackAnswer {
  let before = receiver.accepted.count
  let answer = receiver.answer(request)
  let accepted = receiver.accepted
  if accepted.count > before, let last = accepted.last {
    let labels = last.labels.map { "\($0.name)=\($0.value)" }.joined(separator: " ")
    print("accepted \(last.profile.samples.count) \(last.profile.total(ofType: 0) ?? 0) \(last.timeNanoseconds) \(labels)")
    if let output, let file = try? OwnedDescriptor(open: "\(output)/\(accepted.count).txt", O_WRONLY | O_CREAT | O_TRUNC) {
      try? file.write(Array(PprofText.text(last.profile).utf8).span.bytes, path: output)
    }
  } else {
    print("refused \(receiver.refusals.last ?? request.path)")
  }
  fflush(nil)
  return answer
}

let server = try LoopbackServer(port: port) { request, _ in
  let text = faults.flatMap { try? contents(of: $0, limit: 4096) } ?? []
  let words = String(decoding: text, as: UTF8.self).split { $0 == " " || $0 == "\n" }
  switch words.first {
  case nil, "ok": return take(request)
  case "close": return .close
  case "lose":
    _ = take(request)
    return .close
  case "hang": return .after(milliseconds: words.count > 1 ? Int(words[1]) ?? 0 : 0, take(request))
  case let word?:
    let after = words.count > 1 ? [("Retry-After", String(words[1]))] : []
    return .respond(status: Int(word) ?? 500, headers: after, text: #"{"code":"unavailable","message":"as asked"}"#)
  }
}
print("listening \(server.url)")
fflush(nil)
withExtendedLifetime(server) { while true { pause() } }
