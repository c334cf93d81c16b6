import Base
#if canImport(Glibc)
  import Glibc
#else
  import Musl
#endif

/// Bytes of a segment that do not read, and why.
public struct DamagedRegion: Hashable, Sendable {
  public var offset: UInt64
  public var byteCount: UInt64
  public var reason: String
  public init(offset: UInt64, byteCount: UInt64, reason: String) {
    self.offset = offset
    self.byteCount = byteCount
    self.reason = reason
  }
}

extension DamagedRegion: CustomStringConvertible {
  public var description: String { "\(byteCount) bytes at \(offset): \(reason)" }
}

/// The frames of a segment found by walking it from front to back, which needs no index.
///
/// After damage it goes on at the next preamble or trailer whose own checksum holds.
struct SegmentScan {
  private(set) var frames: [FrameEntry] = []
  private(set) var damage: [DamagedRegion] = []
  /// Of the last trailer that is whole.
  private(set) var trailer: Trailer?
  /// One past the last frame of any kind that is whole.
  private(set) var end: UInt64
  /// Whether what lies after `end` is the beginning of a frame that was never written whole.
  private(set) var hasTornTail = false

  private var lastIndexOffset: UInt64?

  private static let searchedByteCount = 1 << 18

  /// Walks `file` of `byteCount` bytes from `start`, the end of its header.
  init(_ file: borrowing OwnedDescriptor, path: String, from start: UInt64, byteCount: UInt64, traceID: [UInt8])
    throws(SystemCallError)
  {
    end = start
    var position = start
    while position < byteCount {
      switch try step(file, path, at: position, byteCount, traceID) {
      case .whole(let next):
        position = next
        end = next
      case .torn(let reason):
        hasTornTail = true
        damage.append(DamagedRegion(offset: position, byteCount: byteCount - position, reason: reason))
        position = byteCount
      case .damaged(let reason):
        let next = try Self.nextAnchor(file, path, from: position + 1, byteCount, traceID)
        damage.append(DamagedRegion(offset: position, byteCount: next - position, reason: reason))
        position = next
      }
    }
  }

  private enum Step {
    case whole(next: UInt64)
    /// The file ends inside what begins here.
    case torn(String)
    case damaged(String)
  }

  private mutating func step(
    _ file: borrowing OwnedDescriptor, _ path: String, at position: UInt64, _ byteCount: UInt64, _ traceID: [UInt8]
  ) throws(SystemCallError) -> Step {
    let left = byteCount - position
    let head = try file.read(at: position, count: Int(min(left, UInt64(Preamble.checkedByteCount))), path: path)
    guard let magic = Self.word(head, 0) else { return .torn("cut short inside a frame's first bytes") }
    guard let size = Self.word(head, 4).map(UInt64.init) else {
      let isKnown = magic == FrameMagic.preamble || magic == FrameMagic.index || magic == FrameMagic.trailer
      return isKnown ? .torn("cut short inside a frame's first bytes") : .damaged("no frame begins here")
    }
    switch magic {
    case FrameMagic.preamble:
      guard size == UInt64(Preamble.payloadByteCount) else { return .damaged("a preamble of the wrong length") }
      guard head.count >= Preamble.checkedByteCount else { return .torn("cut short inside a preamble") }
      let bytes = head.borrowedBytes.extracting(0..<Preamble.checkedByteCount)
      guard let entry = Preamble.read(bytes, at: position, traceID: traceID) else {
        return .damaged("a preamble whose checksum does not match")
      }
      guard entry.end <= byteCount else { return .torn("cut short inside a data frame") }
      guard Self.word(head, Preamble.frameByteCount) == FrameMagic.data else {
        return .damaged("no data frame after a preamble")
      }
      frames.append(entry)
      return .whole(next: entry.end)
    case FrameMagic.trailer:
      guard size == UInt64(Trailer.payloadByteCount) else { return .damaged("a trailer of the wrong length") }
      guard left >= UInt64(Trailer.frameByteCount) else { return .torn("cut short inside the trailer") }
      let bytes = try file.read(at: position, count: Trailer.frameByteCount, path: path)
      let next = position + UInt64(Trailer.frameByteCount)
      guard let found = Trailer(frame: bytes.borrowedBytes, endingAt: next) else {
        return .damaged("a trailer whose checksum does not match")
      }
      guard lastIndexOffset == found.indexOffset else { return .damaged("a trailer without its index") }
      trailer = found
      return .whole(next: next)
    case FrameMagic.index:
      guard size <= UInt64(Limits.indexByteCount) else { return .damaged("an index of \(size) bytes") }
      guard left >= 8 + size else { return .torn("cut short inside the index") }
      let payload = try file.read(at: position + 8, count: Int(size), path: path)
      guard SegmentIndex(payload: payload, endingBefore: position) != nil else {
        return .damaged("an index whose checksum does not match")
      }
      lastIndexOffset = position
      return .whole(next: position + 8 + size)
    case FrameMagic.reserved:
      // Of a newer minor version. Its size has no checksum we know, so something known has to follow it.
      guard size <= left - 8 else { return .damaged("a frame of unknown kind runs past the end") }
      let next = position + 8 + size
      if next == byteCount { return .whole(next: next) }
      let following = try file.read(at: next, count: 4, path: path)
      guard let word = Self.word(following, 0), (FrameMagic.preamble...FrameMagic.reserved.upperBound).contains(word)
      else { return .damaged("a frame of unknown kind that nothing known follows") }
      return .whole(next: next)
    default:
      return .damaged("no frame begins here")
    }
  }

  /// Where the next preamble or trailer that is whole begins, or the end of the file.
  private static func nextAnchor(
    _ file: borrowing OwnedDescriptor, _ path: String, from start: UInt64, _ byteCount: UInt64, _ traceID: [UInt8]
  ) throws(SystemCallError) -> UInt64 {
    let anchorByteCount = max(Preamble.checkedByteCount, Trailer.frameByteCount)
    var position = start
    while position < byteCount {
      let wanted = Int(min(byteCount - position, UInt64(searchedByteCount)))
      let bytes = try file.read(at: position, count: wanted, path: path)
      guard bytes.count >= 8 else { break }
      var offset = 0
      while offset + 8 <= bytes.count {
        // The second and later bytes of all magic numbers are the same.
        guard bytes[offset + 1] == 0x2a, bytes[offset + 2] == 0x4d, bytes[offset + 3] == 0x18 else {
          offset += 1
          continue
        }
        let here = position + UInt64(offset)
        let whole = bytes.count - offset >= anchorByteCount
        let tail =
          whole
          ? Array(bytes[offset..<(offset + anchorByteCount)])
          : try file.read(at: here, count: Int(min(byteCount - here, UInt64(anchorByteCount))), path: path)
        if bytes[offset] == UInt8(truncatingIfNeeded: FrameMagic.preamble), tail.count >= Preamble.checkedByteCount,
          Preamble.read(tail.borrowedBytes.extracting(0..<Preamble.checkedByteCount), at: here, traceID: traceID) != nil
        {
          return here
        }
        if bytes[offset] == UInt8(truncatingIfNeeded: FrameMagic.trailer), tail.count >= Trailer.frameByteCount,
          Trailer(
            frame: tail.borrowedBytes.extracting(0..<Trailer.frameByteCount),
            endingAt: here + UInt64(Trailer.frameByteCount)) != nil
        {
          return here
        }
        offset += 1
      }
      // The last seven bytes were not looked at as a beginning.
      if position + UInt64(bytes.count) >= byteCount { break }
      position += UInt64(bytes.count - 7)
    }
    return byteCount
  }

  static func word(_ bytes: [UInt8], _ offset: Int) -> UInt32? {
    guard offset + 4 <= bytes.count else { return nil }
    return UInt32(bytes[offset]) | UInt32(bytes[offset + 1]) << 8 | UInt32(bytes[offset + 2]) << 16
      | UInt32(bytes[offset + 3]) << 24
  }
}
