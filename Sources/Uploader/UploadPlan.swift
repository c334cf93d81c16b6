import Profile

/// What will be sent, in order, and what had to be changed for it.
package struct UploadPlan: Hashable, Sendable {
  /// Oldest first; equal times in the order of the items.
  package private(set) var uploads: [PreparedUpload] = []
  /// Each said once, however many profiles it is about.
  package private(set) var notes: [UploadNote] = []

  /// - Parameters:
  ///   - rules: of the destination; `nil` sends everything as it is.
  ///   - now: nanoseconds since 1970.
  ///   - restamp: moves the times so that the last profile ends now.
  package init(
    _ items: [UploadItem], rules: DestinationRules?, now: Int64, restamp: Bool
  ) throws(UploadError) {
    var parts: [PreparedUpload] = []
    var occurrences: [UInt64: UInt64] = [:]
    for item in items {
      let labels = labels(of: item, rules)
      let pieces = try pieces(of: item, labels, rules)
      if pieces.count > 1 { note(.split(metric: item.metric, parts: pieces.count)) }
      for piece in pieces {
        // Profiles that do not differ at all are told apart by how many there were before.
        let plain = ContentKey(labels, piece).value
        let before = occurrences[plain, default: 0]
        occurrences[plain] = before + 1
        var key = ContentKey(plain)
        key.combine(before)
        parts.append(
          PreparedUpload(
            source: item.source, labels: labels, profile: piece, contentKey: before == 0 ? plain : key.value))
      }
    }
    let times = times(of: parts, rules, now, restamp)
    let order = parts.indices.sorted { (times[$0], $0) < (times[$1], $1) }
    for index in order {
      let part = parts[index]
      do {
        uploads.append(
          PreparedUpload(
            source: part.source, labels: part.labels, profile: try part.profile.moved(toNanoseconds: times[index]),
            contentKey: part.contentKey))
      } catch { throw .profile(path: part.source, error) }
    }
  }

  private mutating func labels(of item: UploadItem, _ rules: DestinationRules?) -> [UploadLabel] {
    guard let rules else {
      let own = item.labels.filter { $0.name != "__name__" }
      return (own + [UploadLabel("__name__", item.metric)]).sorted()
    }
    let applied = rules.labels.apply(
      to: item.labels, metric: item.metric, sampleLabels: item.profile.textLabelNames)
    for change in applied.changes { note(.label(change)) }
    return applied.labels
  }

  private func pieces(
    of item: UploadItem, _ labels: [UploadLabel], _ rules: DestinationRules?
  ) throws(UploadError) -> [EncodedProfile] {
    guard let rules else { return [item.profile] }
    let room = max(1, rules.maximumBytes - labels.byteCount)
    if item.profile.uncompressedByteCount <= room, item.profile.sampleCount <= rules.maximumSamples {
      return [item.profile]
    }
    do {
      let whole = try PprofDecoder.decode(item.profile.bytes)
      // 11 bytes for the time, which may change yet.
      return ProfileSplitter.split(whole, maximumBytes: max(1, room - 11), maximumSamples: rules.maximumSamples)
        .map { EncodedProfile($0) }
    } catch { throw .profile(path: item.source, error) }
  }

  private mutating func times(
    of parts: [PreparedUpload], _ rules: DestinationRules?, _ now: Int64, _ restamp: Bool
  ) -> [Int64] {
    let timeRules = rules?.times ?? TimeRules()
    var times = parts.map(\.profile.timeNanoseconds)
    if restamp {
      times = timeRules.restamped(parts.map { ($0.profile.timeNanoseconds, $0.profile.durationNanoseconds) }, now: now)
      if !parts.isEmpty { note(.restamped(count: parts.count)) }
    }
    guard rules != nil else { return times }
    // A server would set 0 to its own clock; then two of one series could meet in a millisecond.
    times = TimeRules.distinct(zip(parts, times).map { ($0.labels, $1 == 0 ? now : $1) })
    let outside = times.filter { !timeRules.accepts($0, now: now) }
    if let oldest = outside.min() {
      note(
        .outsideWindow(
          count: outside.count, of: times.count, oldestAgeSeconds: (now - oldest) / 1_000_000_000))
    }
    return times
  }

  private mutating func note(_ note: UploadNote) {
    if !notes.contains(note) { notes.append(note) }
  }
}

/// Something the user should know about what is sent.
package enum UploadNote: Hashable, Sendable {
  case label(LabelRules.Change)
  case split(metric: String, parts: Int)
  case restamped(count: Int)
  /// Negative ages lie ahead.
  case outsideWindow(count: Int, of: Int, oldestAgeSeconds: Int64)

  /// Whether something will probably be refused or is sent otherwise than asked.
  package var isWarning: Bool {
    switch self {
    case .label, .outsideWindow: true
    case .split, .restamped: false
    }
  }
}

extension UploadNote: CustomStringConvertible {
  package var description: String {
    switch self {
    case .label(let change): return change.description
    case .split(let metric, let parts): return "\(metric) is sent in \(parts) parts, as large as a server takes at once"
    case .restamped(let count): return "\(count) profiles get new times, as if the last one had just ended"
    case .outsideWindow(let count, let total, let age):
      let where_ = age >= 0 ? "the oldest is \(Self.duration(age)) old" : "they lie up to \(Self.duration(-age)) ahead"
      return """
        \(count) of \(total) profiles are from outside the time a server takes by default (the last hour, 10 minutes \
        ahead): \(where_). They may be refused; --restamp gives them new times.
        """
    }
  }

  private static func duration(_ seconds: Int64) -> String {
    switch seconds {
    case ..<120: "\(seconds) s"
    case ..<7200: "\(seconds / 60) min"
    case ..<172_800: "\(seconds / 3600) h"
    default: "\(seconds / 86400) days"
    }
  }
}

/// FNV-1a over what makes a profile the one it is.
package struct ContentKey {
  private(set) var value: UInt64

  /// 16 digits for a list of texts.
  package static func text(_ parts: [String]) -> String {
    var key = ContentKey()
    for part in parts { key.combine(part) }
    return hexadecimal(key.value)
  }

  init(_ value: UInt64 = 0xcbf2_9ce4_8422_2325) { self.value = value }

  init(_ labels: [UploadLabel], _ profile: EncodedProfile) {
    self.init()
    for label in labels {
      combine(label.name)
      combine(label.value)
    }
    combine(UInt64(bitPattern: profile.timeNanoseconds))
    combine(UInt64(bitPattern: profile.durationNanoseconds))
    combine(UInt64(profile.sampleCount))
    combine(UInt64(profile.uncompressedByteCount))
    // gzip ends with the CRC-32 of what is inside (RFC 1952), which does not depend on how it was compressed.
    for byte in profile.bytes.suffix(8) { combine(byte) }
  }

  mutating func combine(_ byte: UInt8) { value = (value ^ UInt64(byte)) &* 0x100_0000_01b3 }

  mutating func combine(_ number: UInt64) {
    for shift in stride(from: UInt64(0), to: 64, by: 8) { combine(UInt8(truncatingIfNeeded: number >> shift)) }
  }

  mutating func combine(_ text: String) {
    for byte in text.utf8 { combine(byte) }
    combine(UInt8(0xff))  // in no UTF-8 text, so that "ab", "c" is not "a", "bc"
  }
}
