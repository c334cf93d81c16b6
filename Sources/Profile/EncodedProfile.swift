/// A profile as pprof in gzip, and what a sender has to know of it without reading it again.
package struct EncodedProfile: Hashable, Sendable {
  /// pprof in gzip.
  package let bytes: [UInt8]
  /// Bytes of the message inside, which is what servers count.
  package let uncompressedByteCount: Int
  package let sampleCount: Int
  /// Nanoseconds since 1970; 0 when not known.
  package let timeNanoseconds: Int64
  package let durationNanoseconds: Int64
  /// The names of the sample types, in order.
  package let sampleTypes: [String]
  /// The keys of labels that samples carry as text, sorted: a server turns each into a label of the series.
  package let textLabelNames: [String]

  package init(_ profile: Profile) {
    let message = PprofFormat.message(profile)
    bytes = Gzip.compress(message)
    uncompressedByteCount = message.count
    sampleCount = profile.samples.count
    timeNanoseconds = profile.timeNanoseconds
    durationNanoseconds = profile.durationNanoseconds
    sampleTypes = profile.sampleTypes.map { profile.strings[$0.kind] }
    textLabelNames = Set(profile.samples.labels.filter { $0.text != .empty }.map(\.key)).map { profile.strings[$0] }
      .sorted()
  }

  /// One that was encoded before, with what was known of it then.
  package init(
    gzip bytes: [UInt8], uncompressedByteCount: Int, sampleCount: Int, timeNanoseconds: Int64, durationNanoseconds: Int64,
    sampleTypes: [String], textLabelNames: [String]
  ) {
    self.bytes = bytes
    self.uncompressedByteCount = uncompressedByteCount
    self.sampleCount = sampleCount
    self.timeNanoseconds = timeNanoseconds
    self.durationNanoseconds = durationNanoseconds
    self.sampleTypes = sampleTypes
    self.textLabelNames = textLabelNames
  }

  private init(_ other: EncodedProfile, bytes: [UInt8], uncompressedByteCount: Int, timeNanoseconds: Int64) {
    self.bytes = bytes
    self.uncompressedByteCount = uncompressedByteCount
    self.timeNanoseconds = timeNanoseconds
    sampleCount = other.sampleCount
    durationNanoseconds = other.durationNanoseconds
    sampleTypes = other.sampleTypes
    textLabelNames = other.textLabelNames
  }

  /// The same profile with another start.
  package func moved(toNanoseconds time: Int64) throws(ProfileError) -> EncodedProfile {
    if time == timeNanoseconds { return self }
    let message = try Gzip.decompress(bytes, limit: PprofDecoder.maximumMessageBytes)
    let moved = try PprofTime.replacing(in: message, with: time)
    return EncodedProfile(
      self, bytes: Gzip.compress(moved), uncompressedByteCount: moved.count, timeNanoseconds: time)
  }
}
