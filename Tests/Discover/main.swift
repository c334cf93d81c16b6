// discover [--seconds N] [--transcript FILE] FILE.alloy
//
// Prints what the configuration's Docker and Kubernetes sources find: once, or for N seconds a line for every change.
// With --transcript it writes what was asked and answered, a line of JSON each, for tests to replay.
import Base
import Configuration
import Discovery
import Glibc
import HTTP
import Synchronization
import Targets
import TestSupport

/// At once: whoever reads it does so while this runs.
nonisolated func say(_ text: String, to descriptor: Int32 = 1) {
  let bytes = Array((text + "\n").utf8)
  _ = write(descriptor, bytes, bytes.count)
}
nonisolated func fail(_ text: String) -> Never {
  say("discover: " + text, to: 2)
  exit(1)
}

var arguments = CommandLine.arguments.dropFirst()
var seconds: Int?
var transcript: String?
while let first = arguments.first, first.hasPrefix("--") {
  arguments = arguments.dropFirst()
  guard let value = arguments.popFirst() else { fail("\(first) wants a value") }
  switch first {
  case "--seconds": seconds = Int(value)
  case "--transcript": transcript = value
  default: fail("what is \(first)?")
  }
}
guard let path = arguments.first else { fail("which configuration?") }

final class Transcript: Sendable {
  private let file: Mutex<[UInt8]> = Mutex([])
  func add(_ exchange: HTTPExchange) { file.withLock { $0 += exchange.line } }
  var bytes: [UInt8] { file.withLock { $0 } }
}
let kept = Transcript()
let makeTransport: ServerClient.TransportMaker = { (access) throws(HTTPError) in
  RecordingTransport(try CurlTransport(tls: access.tls, connection: access.connection)) { kept.add($0) }
}

var live = ClusterEnvironment.live
if let path = environment("PYROREC_TEST_SERVICE_ACCOUNT") { live.serviceAccountPath = path }
let machine = live

nonisolated func environment(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

do {
  let file = SourceFile(name: path, bytes: try contents(of: path, limit: SourceFile.maximumByteCount))
  var warnings: [Diagnostic] = []
  let configuration = try Configuration(
    file, ConfigurationEnvironment(hostname: "", version: "", variable: environment), warnings: &warnings)
  let follows = seconds != nil
  let hub = DiscoveryHub(
    make: { (component, arguments) throws(DiscoveryError) in
      try NetworkSource.make(component, arguments, atLeastEveryMilliseconds: .max, by: makeTransport, on: machine)
    },
    onChange: { id, state in
      if let problem = state.problem { say("\(id): \(problem)") }
      say("\(id) \(state.answers): \(state.targets.map(\.description).joined(separator: " "))")
    })
  let stop = try Waker()
  _ = configuration.evaluate { component, arguments in
    if follows { return hub.state(of: component, arguments)?.targets ?? [] }
    do {
      guard
        let source = try NetworkSource.make(component, arguments, atLeastEveryMilliseconds: .max, by: makeTransport, on: machine)
      else { return [] }
      let found = try source.find(until: stop)
      for target in found.targets { say(target.description) }
      for note in found.notes { say("\(component.id): \(note)", to: 2) }
      return found.targets
    } catch {
      fail("\(component.id): \(error)")
    }
  }
  if let seconds { sleep(UInt32(seconds)) }
  if let transcript {
    let out = try OwnedDescriptor(open: transcript, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o644)
    try out.write(kept.bytes.span.bytes, path: transcript)
  }
} catch let problems as Configuration.Problems {
  fail(problems.text)
} catch {
  fail("\(error)")
}
