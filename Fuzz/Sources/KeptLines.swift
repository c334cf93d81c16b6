import Base
import DebugInfo

/// Answers that an earlier run kept, whose bytes somebody changed, and units that are read while they are inflated.
enum KeptLines {
  /// The input is what follows a header that fits it: counts of segments, answers, nodes and texts, then everything else.
  @Sendable static func kept(_ bytes: [UInt8]) {
    guard bytes.count >= 4 else { return }
    let counts = bytes[..<4].map { Int($0) }
    var rest = Array(bytes[4...])
    let columns = 8 * counts[0] + 12 * counts[1] + 20 * counts[2] + 4 * counts[3]
    while rest.count < columns { rest.append(UInt8(truncatingIfNeeded: rest.count)) }
    var writer = ByteWriter()
    writer.append(utf8: "pyrolins")
    writer.write(UInt32(1))
    writer.write(UInt32(0))
    writer.write(UInt64(0x1000))
    for count in counts { writer.write(UInt32(count)) }
    writer.write(UInt64(rest.count - columns))
    writer.append(rest)
    writer.write(CRC32.of(writer.bytes.borrowedBytes))
    guard let frames = PreparedFrames(OwnedBytes(writer.bytes), key: []) else { preconditionFailure("the header fits") }
    var search = frames.search()
    for address in stride(from: UInt64(0), to: 1 << 17, by: 509) { _ = search.frames(at: address) }
    for address in [UInt64.max, 0x1000, 0, UInt64(1) << 32] { _ = search.frames(at: address) }
  }

  /// A file with compressed sections, whole and piece by piece.
  @Sendable static func streamed(_ bytes: [UInt8]) {
    let addresses = (UInt64(0)..<64).map { 0x1000 + $0 * 13 } + (UInt64(0)..<64).map { 0x40_1000 + $0 * 13 }
    guard let file = try? DebugFile(OwnedBytes(bytes), streamsFrom: 0) else { return }
    let (frames, batch) = file.preparedFrames(at: addresses)
    for index in addresses.indices { _ = frames.frames(at: index) }
    guard let kept = batch?.bytes(key: []) else { return }
    guard let again = PreparedFrames(OwnedBytes(kept), key: []) else { preconditionFailure("what was kept is read") }
    var search = again.search()
    for address in addresses { _ = search.frames(at: address) }
  }
}
