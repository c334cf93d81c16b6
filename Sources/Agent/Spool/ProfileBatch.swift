package import Base
import Profile
package import Uploader

/// The profiles of one window, as they wait in the spool.
///
/// Layout, little-endian: `PYRB`, version (1 byte), items, each a length (ULEB128) and its fields, then the CRC-32 of all
/// before it. A file is whole or not there: it is written aside and renamed.
package struct ProfileBatch: Hashable, Sendable {
  package struct Item: Hashable, Sendable {
    /// Ids of the components that take it.
    package var receivers: [String]
    package var upload: UploadItem
    package init(receivers: [String], upload: UploadItem) {
      self.receivers = receivers
      self.upload = upload
    }
  }
  package var items: [Item] = []
  package init() {}

  private static let magic = Array("PYRB".utf8)
  private static let version: UInt8 = 1
  /// Of one file.
  static let maximumBytes = 1 << 30
  private static let maximumList = 1 << 16

  package func encoded() -> [UInt8] {
    var writer = ByteWriter(capacity: items.reduce(64) { $0 + $1.upload.profile.bytes.count + 1024 })
    writer.append(Self.magic)
    writer.write(Self.version)
    writer.uleb128(UInt64(items.count))
    for item in items {
      let profile = item.upload.profile
      writer.uleb128(UInt64(item.receivers.count))
      for receiver in item.receivers { writer.lengthPrefixed(utf8: receiver) }
      writer.lengthPrefixed(utf8: item.upload.metric)
      writer.uleb128(UInt64(item.upload.labels.count))
      for label in item.upload.labels {
        writer.lengthPrefixed(utf8: label.name)
        writer.lengthPrefixed(utf8: label.value)
      }
      writer.uleb128(UInt64(profile.uncompressedByteCount))
      writer.uleb128(UInt64(profile.sampleCount))
      writer.zigzag(profile.timeNanoseconds)
      writer.zigzag(profile.durationNanoseconds)
      writer.uleb128(UInt64(profile.sampleTypes.count))
      for type in profile.sampleTypes { writer.lengthPrefixed(utf8: type) }
      writer.uleb128(UInt64(profile.textLabelNames.count))
      for name in profile.textLabelNames { writer.lengthPrefixed(utf8: name) }
      writer.lengthPrefixed(profile.bytes)
    }
    var crc = CRC32()
    crc.update(writer.bytes.borrowedBytes)
    writer.write(crc.value)
    return writer.bytes
  }

  /// - Parameter source: what the items are said to come from.
  package init(_ bytes: [UInt8], source: String) throws(MalformedInput) {
    var cursor = ByteCursor(bytes.borrowedBytes)
    let magic = try cursor.take(4, "magic").copied()
    let version: UInt8 = try cursor.read("version")
    guard magic == Self.magic, version == Self.version, bytes.count >= 9 else {
      throw MalformedInput(field: "magic", offset: FileOffset(0), problem: .inconsistent("is no batch of profiles"))
    }
    var crc = CRC32()
    crc.update(bytes.borrowedBytes.extracting(0..<(bytes.count - 4)))
    var end = ByteCursor(bytes.borrowedBytes)
    try end.skip(bytes.count - 4, "items")
    let expected: UInt32 = try end.read("checksum")
    guard expected == crc.value else {
      throw MalformedInput(field: "checksum", offset: FileOffset(UInt64(bytes.count - 4)), problem: .inconsistent("does not fit"))
    }
    let count = try Self.count(&cursor)
    for _ in 0..<count {
      let receivers = try Self.texts(&cursor)
      let metric = try Self.text(&cursor)
      var labels: [UploadLabel] = []
      for _ in 0..<(try Self.count(&cursor)) { labels.append(UploadLabel(try Self.text(&cursor), try Self.text(&cursor))) }
      let byteCount = try cursor.uleb128("uncompressed")
      let samples = try cursor.uleb128("samples")
      let time = try cursor.zigzag("time")
      let duration = try cursor.zigzag("duration")
      let types = try Self.texts(&cursor)
      let names = try Self.texts(&cursor)
      let profile = try cursor.take(try cursor.uleb128("profile length"), "profile").copied()
      items.append(
        Item(
          receivers: receivers,
          upload: UploadItem(
            source: source, labels: labels, metric: metric,
            profile: EncodedProfile(
              gzip: profile, uncompressedByteCount: Int(clamping: byteCount), sampleCount: Int(clamping: samples),
              timeNanoseconds: time, durationNanoseconds: duration, sampleTypes: types, textLabelNames: names))))
    }
  }

  private static func count(_ cursor: inout ByteCursor) throws(MalformedInput) -> Int {
    let count = try cursor.uleb128("count")
    guard count <= Self.maximumList else {
      throw MalformedInput(field: "count", offset: FileOffset(0), problem: .inconsistent("is too large"))
    }
    return Int(count)
  }

  private static func text(_ cursor: inout ByteCursor) throws(MalformedInput) -> String {
    try cursor.take(try cursor.uleb128("length"), "text").text()
  }

  private static func texts(_ cursor: inout ByteCursor) throws(MalformedInput) -> [String] {
    var texts: [String] = []
    for _ in 0..<(try count(&cursor)) { texts.append(try text(&cursor)) }
    return texts
  }
}
