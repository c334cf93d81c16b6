import Base
import Glibc
import Profile
import TestSupport

// push-receiver [--port N] [--dir DIR] [--authorization VALUE]
//
// Takes pushes on 127.0.0.1 by Pyroscope's rules until it is stopped. Prints its port, then a line a push:
//   accepted SAMPLES SUM TIME_NANOSECONDS LABEL=VALUE…
//   refused REASON
// With --dir, every accepted profile is also written there as text, N.txt.

var port: UInt16 = 0
var directory: String?
var authorization: String?
var arguments = CommandLine.arguments.dropFirst().makeIterator()
while let flag = arguments.next() {
  let value = arguments.next()
  switch (flag, value) {
  case ("--port", let value?): port = UInt16(value) ?? 0
  case ("--dir", let value?): directory = value
  case ("--authorization", let value?): authorization = value
  default:
    print("usage: push-receiver [--port N] [--dir DIR] [--authorization VALUE]")
    exit(64)
  }
}

let receiver = PushReceiver(authorization: authorization) {
  var time = timespec()
  clock_gettime(CLOCK_REALTIME, &time)
  return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
}
let output = directory
let server = try LoopbackServer(port: port) { request, _ in
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
print("listening \(server.url)")
fflush(nil)
withExtendedLifetime(server) { while true { pause() } }
