import Base
package import Profile
import Synchronization

/// A Pyroscope server as far as a push is concerned: every limit and check it makes before it stores a profile, with
/// its defaults, and where versions differ the stricter one.
///
/// What a real server takes without a word and then loses (two profiles of one series in one millisecond) is refused
/// here, so that a test notices.
package final class PushReceiver: Sendable {
  package struct Limits: Sendable {
    package var bodyBytes = 256 << 20
    package var profileBytes = 4 << 20
    package var samples = 16_000
    package var sampleLabels = 100
    package var labelNames = 30
    package var labelNameBytes = 1024
    package var labelValueBytes = 2048
    package var bytesPerSecond = 4_000_000.0
    package var burstBytes = 2_000_000.0
    package var pastNanoseconds: Int64 = 3_600_000_000_000
    package var futureNanoseconds: Int64 = 600_000_000_000
    package init() {}
  }

  /// A profile that passed.
  package struct Accepted: Sendable {
    /// Sorted by name.
    package let labels: [(name: String, value: String)]
    package let profile: Profile
    package let timeNanoseconds: Int64
  }

  private struct State {
    var accepted: [Accepted] = []
    var refusals: [String] = []
    var seen: Set<[String]> = []
    var level = 0.0
    var last: Int64?
  }

  private let limits: Limits
  private let authorization: String?
  private let now: @Sendable () -> Int64
  private let state: Mutex<State>

  /// - Parameters:
  ///   - authorization: the value the header must have; `nil` takes everyone.
  ///   - now: nanoseconds since 1970; the rate limit goes by it too.
  package init(
    limits: Limits = Limits(), authorization: String? = nil, now: @escaping @Sendable () -> Int64
  ) {
    self.limits = limits
    self.authorization = authorization
    self.now = now
    var start = State()
    start.level = limits.burstBytes
    state = Mutex(start)
  }

  package var accepted: [Accepted] { state.withLock { $0.accepted } }
  /// The message of every refusal, in order.
  package var refusals: [String] { state.withLock { $0.refusals } }

  /// The sum of the first value of all samples accepted.
  package var total: Int64 { accepted.reduce(0) { $0 &+ ($1.profile.total(ofType: 0) ?? 0) } }

  /// What a server would answer.
  package func answer(_ request: LoopbackRequest) -> LoopbackAnswer {
    guard request.path == "/push.v1.PusherService/Push" else {
      return .respond(status: 404, text: "404 page not found\n", type: "text/plain")
    }
    guard request.method == "POST" else { return .respond(status: 405, headers: [("Allow", "POST")]) }
    guard request.headers["content-type"] == "application/proto" else {
      return .respond(status: 415, headers: [("Accept-Post", "application/proto, application/json")])
    }
    guard authorization == nil || request.headers["authorization"] == authorization else {
      return refuse(Refusal(401, "unauthenticated", "no valid credentials"))
    }
    do throws(Refusal) {
      try push(request.body)
      return .respond(status: 200, headers: [("Content-Type", "application/proto")])
    } catch {
      return refuse(error)
    }
  }

  private func refuse(_ refusal: Refusal) -> LoopbackAnswer {
    state.withLock { $0.refusals.append(refusal.message) }
    var json = JSONWriter(indent: 0)
    json.object {
      $0.field("code", refusal.code)
      $0.field("message", refusal.message)
    }
    return .respond(
      status: refusal.status, headers: [("Content-Type", "application/json")] + refusal.headers, body: json.bytes)
  }

  private struct Refusal: Error {
    let status: Int
    let code: String
    let message: String
    var headers: [(String, String)] = []
    init(_ status: Int, _ code: String, _ message: String) {
      self.status = status
      self.code = code
      self.message = message
    }
    static func invalid(_ message: String) -> Refusal { Refusal(400, "invalid_argument", message) }
  }

  private struct Series {
    var labels: [(name: String, value: String)] = []
    var profiles: [[UInt8]] = []
  }

  private func push(_ body: [UInt8]) throws(Refusal) {
    guard body.count <= limits.bodyBytes else { throw Refusal(429, "resource_exhausted", "request body too large") }
    let request: [Series]
    do { request = try Self.decode(body) } catch { throw .invalid("unmarshal message: \(error)") }
    guard !request.isEmpty else { throw .invalid("no series") }
    for series in request {
      for bytes in series.profiles { try take(series.labels, bytes) }
    }
  }

  private static func decode(_ body: [UInt8]) throws(MalformedInput) -> [Series] {
    var all: [Series] = []
    var reader = ProtobufReader(body.span.bytes)
    while let tag = try reader.next() {
      guard tag.number == 1 else {
        try reader.skip(tag)
        continue
      }
      var series = Series()
      var fields = try reader.message(tag, "series")
      while let tag = try fields.next() {
        switch tag.number {
        case 1:
          var pair = try fields.message(tag, "labels")
          var label = (name: "", value: "")
          while let tag = try pair.next() {
            switch tag.number {
            case 1: label.name = try pair.delimited(tag, "name").text()
            case 2: label.value = try pair.delimited(tag, "value").text()
            default: try pair.skip(tag)
            }
          }
          series.labels.append(label)
        case 2:
          var sample = try fields.message(tag, "samples")
          while let tag = try sample.next() {
            if tag.number == 1 {
              series.profiles.append(try sample.delimited(tag, "raw_profile").copied())
            } else {
              try sample.skip(tag)
            }
          }
        default: try fields.skip(tag)
        }
      }
      all.append(series)
    }
    return all
  }

  // MARK: The checks, in the server's order

  private func take(_ given: [(name: String, value: String)], _ bytes: [UInt8]) throws(Refusal) {
    let message: [UInt8]
    do {
      message = Gzip.isGzip(bytes) ? try Gzip.decompress(bytes, limit: limits.profileBytes) : bytes
    } catch { throw .invalid("profile_size_limit: \(error)") }
    guard message.count <= limits.profileBytes else { throw .invalid("profile_size_limit") }
    var labels = given
    if !labels.contains(where: { $0.name == "service_name" && !$0.value.isEmpty }) {
      labels.removeAll { $0.name == "service_name" }
      labels.append(("service_name", "unknown_service"))
    }
    try charge(message.count + labels.reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count })

    try checkText(message)
    let profile: Profile
    do { profile = try PprofDecoder.decode(message) } catch { throw .invalid("malformed_profile: \(error)") }
    guard !profile.sampleTypes.isEmpty else { throw .invalid("malformed_profile: no sample type") }
    for type in profile.sampleTypes where profile.strings[type.kind].contains("-") {
      throw .invalid("malformed_profile: sample type with a -")
    }
    let now = now()
    let time = profile.timeNanoseconds == 0 ? now : profile.timeNanoseconds
    guard time > now - limits.pastNanoseconds, time < now + limits.futureNanoseconds else {
      throw .invalid("not_in_ingestion_window: profile time \(time), now \(now)")
    }
    guard profile.samples.count <= limits.samples else { throw .invalid("samples_limit: \(profile.samples.count)") }
    for sample in 0..<profile.samples.count where profile.samples.labels(sample).count > limits.sampleLabels {
      throw .invalid("sample_labels_limit")
    }
    for location in 0..<profile.locations.count where profile.locations.lines(LocationHandle(UInt32(location))).isEmpty {
      if profile.locations.addresses[location] == 0 { throw .invalid("a location without a line would lose its samples") }
    }
    labels.sort { $0.name < $1.name }
    try check(labels, profile)
    try store(Accepted(labels: labels, profile: profile, timeNanoseconds: time))
  }

  private func charge(_ bytes: Int) throws(Refusal) {
    let now = now()
    let missing: Double = state.withLock { state in
      if let last = state.last {
        state.level = min(limits.burstBytes, state.level + Double(max(0, now - last)) / 1e9 * limits.bytesPerSecond)
      }
      state.last = now
      if state.level < Double(bytes) { return Double(bytes) - state.level }
      state.level -= Double(bytes)
      return 0
    }
    guard missing > 0 else { return }
    var refusal = Refusal(429, "resource_exhausted", "push rate limit exceeded while adding \(bytes) bytes")
    refusal.headers = [("Retry-After", String(Int(missing / limits.bytesPerSecond) + 1))]
    throw refusal
  }

  /// The decoder repairs text; a server does not.
  private func checkText(_ message: [UInt8]) throws(Refusal) {
    var isValid = true
    do {
      var reader = ProtobufReader(message.span.bytes)
      while let tag = try reader.next() {
        if tag.number == 6 {
          let text = try reader.delimited(tag, "string_table").copied()
          if String(validating: text, as: UTF8.self) == nil { isValid = false }
        } else {
          try reader.skip(tag)
        }
      }
    } catch { throw .invalid("malformed_profile: \(error)") }
    guard isValid else { throw .invalid("malformed_profile: text that is not UTF-8") }
  }

  private func check(_ labels: [(name: String, value: String)], _ profile: Profile) throws(Refusal) {
    guard labels.contains(where: { $0.name == "__name__" && !$0.value.isEmpty }) else {
      throw .invalid("invalid_labels: no __name__")
    }
    let unsplit: Set<String> = ["trace_id", "span_id", "profile_id"]
    let fromSamples = Set(
      (0..<profile.samples.count).flatMap { profile.samples.labels($0) }
        .filter { $0.text != .empty }.map { profile.strings[$0.key] }
    ).subtracting(unsplit).subtracting(labels.map(\.name))
    guard labels.count + fromSamples.count <= limits.labelNames else {
      throw .invalid("max_label_names_per_series: \(labels.count + fromSamples.count)")
    }
    guard Set(labels.map(\.name)).count == labels.count else { throw .invalid("duplicate_label_names") }
    for label in labels {
      guard label.name.utf8.count <= limits.labelNameBytes else { throw .invalid("label_name_too_long") }
      guard label.value.utf8.count <= limits.labelValueBytes else { throw .invalid("label_value_too_long") }
      let bytes = Array(label.name.utf8)
      let isWord = bytes.allSatisfy {
        $0 == 0x5f || (0x30...0x39).contains($0) || (0x41...0x5a).contains($0) || (0x61...0x7a).contains($0)
      }
      guard isWord, let first = bytes.first, !(0x30...0x39).contains(first) else {
        throw .invalid("invalid_labels: \(label.name)")
      }
    }
  }

  private func store(_ new: Accepted) throws(Refusal) {
    let key = new.labels.flatMap { [$0.name, $0.value] } + [String(new.timeNanoseconds / 1_000_000)]
    let isNew = state.withLock { state in
      guard state.seen.insert(key).inserted else { return false }
      state.accepted.append(new)
      return true
    }
    guard isNew else { throw Refusal(409, "already_exists", "a profile of this series at this millisecond is there") }
  }
}
