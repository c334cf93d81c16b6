import Base
#if canImport(Glibc)
  import Glibc
#else
  import Musl
#endif

/// Reads a segment, whole or not: its header, the list of its frames, and their records in file order.
public final class SegmentReader: Sendable {
  public let path: String
  public let byteCount: UInt64
  public let header: SegmentHeader
  /// Every data frame, in file order.
  public let frames: [FrameEntry]
  /// Whether the recorder wrote the recording to its end.
  public let isClosed: Bool
  /// Whether the frames come from the index (else from walking the file).
  public let hasIndex: Bool
  /// What was found damaged without opening a frame. An index hides damage in frames until they are opened.
  public let damage: [DamagedRegion]
  /// One past the last frame that is whole; what lies after was never written to its end.
  let wholeEnd: UInt64
  /// Whether the file ends inside a frame: its writer was stopped while writing it. The last region of `damage` is that
  /// beginning; nothing before it is harmed.
  public let hasTornTail: Bool

  private let file: OwnedDescriptor

  /// Opens `path`. With `ignoringIndex` every frame is looked for in the file itself, as `verify` does.
  public init(path: String, ignoringIndex: Bool = false) throws(TraceError) {
    let opened: OwnedDescriptor
    let opening: Opening
    let size: UInt64
    do throws(SystemCallError) {
      let descriptor = try OwnedDescriptor(open: path, O_RDONLY)
      let status = try descriptor.status(path: path)
      guard status.st_mode & S_IFMT == S_IFREG else { throw SystemCallError(call: "open", path: path, code: EINVAL) }
      size = UInt64(status.st_size)
      opening = try Opening(descriptor, path: path, byteCount: size, ignoringIndex: ignoringIndex)
      opened = descriptor
    } catch { throw .system(error) }
    if let failure = opening.failure { throw failure }
    guard let found = opening.header else { throw .notASegment(path: path) }
    self.path = path
    byteCount = size
    header = found
    frames = opening.frames
    isClosed = opening.isClosed
    hasIndex = opening.hasIndex
    damage = opening.damage
    wholeEnd = opening.wholeEnd
    hasTornTail = opening.hasTornTail
    file = opened
  }

  /// The records of one frame, of `kinds` only. Damage is in the result: it costs this frame and no other.
  public func decode(_ entry: FrameEntry, kinds: KindSet = .all) throws(TraceError) -> DecodedFrame {
    let bytes: [UInt8]
    do throws(SystemCallError) {
      bytes = try file.read(at: entry.offset, count: Preamble.frameByteCount + Int(entry.byteCount), path: path)
    } catch { throw .system(error) }
    guard bytes.count == Preamble.frameByteCount + Int(entry.byteCount) else {
      return DecodedFrame(entry: entry, damage: "the file ends inside it")
    }
    let all = bytes.borrowedBytes
    guard
      Preamble.read(all.extracting(0..<Preamble.checkedByteCount), at: entry.offset, traceID: header.traceID) == entry
    else { return DecodedFrame(entry: entry, damage: "its preamble does not match") }
    var decompressor = try LZ4Decompressor()
    let content = decompressor.content(
      of: all.extracting(Preamble.frameByteCount..<bytes.count), contentByteCount: Int(entry.contentByteCount))
    guard let content else { return DecodedFrame(entry: entry, damage: "its LZ4 checksums do not match") }
    return DecodedFrame(entry: entry, content: content.borrowedBytes, wanted: kinds)
  }

  /// Frames decoded at once for each worker: enough that none waits long for the slowest.
  private static let framesPerWorker = 4

  /// Decodes every frame that `isWanted` and holds one of `kinds`, on up to `workers` cores, and gives them to `body`
  /// in file order. Only a few frames are in memory at a time.
  /// - Returns: the damage found on the way, in file order.
  @discardableResult
  public func forEachFrame(
    kinds: KindSet = .all, workers: Int = 1, where isWanted: (FrameEntry) -> Bool = { _ in true },
    _ body: (DecodedFrame) throws(TraceError) -> Void
  ) throws(TraceError) -> [DamagedRegion] {
    // A kind this version does not know may hide behind bit 63, so `all` takes every frame.
    let chosen = frames.filter { kinds == .all || !$0.kinds.isDisjoint(with: kinds) }.filter(isWanted)
    var damage: [DamagedRegion] = []
    var next = 0
    while next < chosen.count {
      let batch = chosen[next..<min(next + max(workers, 1) * Self.framesPerWorker, chosen.count)]
      let decoded = parallelMap(count: batch.count, workers: workers) { [next] index in
        Result { () throws(TraceError) in try decode(chosen[next + index], kinds: kinds) }
      }
      next = batch.endIndex
      for result in decoded {
        let frame = try result.get()
        damage += frame.damage
        try body(frame)
      }
    }
    return damage
  }
}

/// What opening a segment found out, before any of it is kept.
private struct Opening {
  var header: SegmentHeader?
  var frames: [FrameEntry] = []
  var isClosed = false
  var hasIndex = false
  var damage: [DamagedRegion] = []
  var wholeEnd: UInt64
  var hasTornTail = false
  var failure: TraceError?

  init(_ file: borrowing OwnedDescriptor, path: String, byteCount: UInt64, ignoringIndex: Bool) throws(SystemCallError) {
    wholeEnd = byteCount
    guard byteCount > 0 else {
      failure = .empty(path: path)
      return
    }
    let index = try Self.lastIndex(file, path, byteCount)
    let (front, headerEnd) = try Self.frontHeader(file, path, byteCount)
    switch front {
    case .success(let found): header = found
    case .failure(let error):
      guard let index, error.isDamage else {
        failure = error
        return
      }
      header = index.index.header
      damage.append(DamagedRegion(offset: 0, byteCount: headerEnd, reason: "the header; the index has a copy of it"))
    }
    if let index, !ignoringIndex {
      frames = index.index.frames
      isClosed = index.trailer.isClosed
      hasIndex = true
      return
    }
    guard let header else { return }
    // With a damaged header the walk begins where the first frame should; a wrong length shows as damage.
    let start = index.map { $0.index.frames.first?.offset ?? $0.trailer.indexOffset } ?? headerEnd
    let scan = try SegmentScan(file, path: path, from: start, byteCount: byteCount, traceID: header.traceID)
    frames = scan.frames
    isClosed = scan.trailer?.isClosed ?? false
    damage += scan.damage
    wholeEnd = scan.end
    hasTornTail = scan.hasTornTail
  }

  /// The header in the first frame, and where that frame ends.
  private static func frontHeader(
    _ file: borrowing OwnedDescriptor, _ path: String, _ byteCount: UInt64
  ) throws(SystemCallError) -> (Result<SegmentHeader, TraceError>, UInt64) {
    let head = try file.read(at: 0, count: Int(min(16, byteCount)), path: path)
    let expected = [0x50, 0x2a, 0x4d, 0x18].map(UInt8.init)
    guard head.starts(with: expected.prefix(head.count)) else { return (.failure(.notASegment(path: path)), 0) }
    guard head.count == 16 else { return (.failure(.cutShort(path: path, byteCount: byteCount)), 0) }
    let size = SegmentScan.word(head, 4).map(UInt64.init) ?? 0
    guard SegmentHeader.isHeader(Array(head[8...])) else { return (.failure(.notASegment(path: path)), 0) }
    guard size <= UInt64(Limits.headerByteCount) else {
      return (.failure(.damagedHeader(path: path, why: "a length of \(size) bytes")), 0)
    }
    guard size <= byteCount - 8 else { return (.failure(.cutShort(path: path, byteCount: byteCount)), 0) }
    let payload = try file.read(at: 8, count: Int(size), path: path)
    do throws(HeaderProblem) {
      return (.success(try SegmentHeader(payload: payload)), 8 + size)
    } catch {
      switch error {
      case .newer(let version): return (.failure(.newerVersion(path: path, found: version)), 8 + size)
      case .damaged(let why): return (.failure(.damagedHeader(path: path, why: why)), 8 + size)
      }
    }
  }

  /// The index that the trailer at the very end points to.
  private static func lastIndex(
    _ file: borrowing OwnedDescriptor, _ path: String, _ byteCount: UInt64
  ) throws(SystemCallError) -> (trailer: Trailer, index: SegmentIndex)? {
    let trailerByteCount = UInt64(Trailer.frameByteCount)
    guard byteCount > trailerByteCount else { return nil }
    let bytes = try file.read(at: byteCount - trailerByteCount, count: Trailer.frameByteCount, path: path)
    guard let trailer = Trailer(frame: bytes.borrowedBytes, endingAt: byteCount) else { return nil }
    // The index lies just before its trailer.
    let (indexByteCount, underflow) = (byteCount - trailerByteCount).subtractingReportingOverflow(trailer.indexOffset)
    guard !underflow, indexByteCount > 8, indexByteCount - 8 <= UInt64(Limits.indexByteCount) else { return nil }
    let frame = try file.read(at: trailer.indexOffset, count: Int(indexByteCount), path: path)
    guard SegmentScan.word(frame, 0) == FrameMagic.index,
      SegmentScan.word(frame, 4).map(UInt64.init) == indexByteCount - 8,
      let index = SegmentIndex(payload: Array(frame[8...]), endingBefore: trailer.indexOffset)
    else { return nil }
    return (trailer, index)
  }
}

extension TraceError {
  /// Whether the header is unreadable in a way that a copy of it makes good.
  fileprivate var isDamage: Bool {
    switch self {
    case .damagedHeader, .notASegment, .cutShort: true
    default: false
    }
  }
}
