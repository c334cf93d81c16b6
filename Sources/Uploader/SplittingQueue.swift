import Profile

/// The uploads of a plan in order; one that a server finds too large comes again in two parts.
///
/// Parts are the same in each run, and so are their times: behind those of every other profile of the plan, a millisecond
/// each, because a server takes two of one series in one millisecond for one.
package struct SplittingQueue {
  private var waiting: [(upload: PreparedUpload, maximumBytes: Int)]
  private var current: (upload: PreparedUpload, maximumBytes: Int)?
  private var nextMillisecond: Int64
  private static let smallestBytes = 4096

  package init(_ plan: UploadPlan, maximumBytes: Int) {
    waiting = plan.uploads.map { ($0, min(maximumBytes, max($0.profile.uncompressedByteCount, 1))) }
    nextMillisecond = (plan.uploads.map(\.profile.timeNanoseconds).max() ?? 0) / 1_000_000 + 1
  }

  package mutating func next() -> PreparedUpload? {
    current = waiting.isEmpty ? nil : waiting.removeFirst()
    return current?.upload
  }

  /// Takes `upload`, the last that came, back as smaller ones.
  /// - Returns: `false` when it cannot be any smaller.
  package mutating func split(_ upload: PreparedUpload) -> Bool {
    guard let current, current.upload == upload else { return false }
    let maximumBytes = current.maximumBytes / 2
    guard maximumBytes >= Self.smallestBytes, upload.profile.sampleCount > 1,
      let whole = try? PprofDecoder.decode(upload.profile.bytes)
    else { return false }
    let parts = ProfileSplitter.split(
      whole, maximumBytes: maximumBytes, maximumSamples: max(1, (upload.profile.sampleCount + 1) / 2))
    guard parts.count > 1 else { return false }
    var smaller: [(PreparedUpload, Int)] = []
    for (index, part) in parts.enumerated() {
      let encoded = EncodedProfile(part)
      // The first keeps the time: nothing else of the series has it.
      guard let moved = try? index == 0 ? encoded : encoded.moved(toNanoseconds: nextMillisecond * 1_000_000) else { return false }
      if index > 0 { nextMillisecond += 1 }
      var key = ContentKey(upload.contentKey)
      key.combine(UInt64(parts.count))
      key.combine(UInt64(index))
      smaller.append(
        (PreparedUpload(source: upload.source, labels: upload.labels, profile: moved, contentKey: key.value), maximumBytes))
    }
    waiting.insert(contentsOf: smaller, at: 0)
    return true
  }
}
