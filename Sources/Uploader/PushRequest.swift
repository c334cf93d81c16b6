import Profile

/// The message that `push.v1.PusherService/Push` takes (grafana/pyroscope, `api/push/v1/push.proto`).
enum PushRequest {
  /// One series with one profile, so that an error is about that one and a second attempt repeats no other.
  static func encode(labels: [UploadLabel], profile: [UInt8], id: String) -> [UInt8] {
    var series = ProtobufWriter(capacity: profile.count + 1024)
    for label in labels {
      series.message(1) {  // RawProfileSeries.labels
        $0.string(1, label.name)
        $0.string(2, label.value)
      }
    }
    var sample = ProtobufWriter(capacity: profile.count + 64)
    sample.bytes(1, profile)  // RawSample.raw_profile
    sample.string(2, id)  // RawSample.ID
    series.bytes(2, sample.bytes)  // RawProfileSeries.samples
    var request = ProtobufWriter(capacity: series.bytes.count + 16)
    request.bytes(1, series.bytes)  // PushRequest.series
    return request.bytes
  }
}
