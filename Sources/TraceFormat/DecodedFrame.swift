import Base

/// The records of one data frame.
public struct DecodedFrame: Sendable {
  public var entry: FrameEntry
  /// In the order they were written, those of the kinds asked for.
  public var records: [TraceRecord] = []
  /// How many records of each kind, asked for or not; also of kinds this version does not know.
  public var counts: [RecordKind: UInt64] = [:]
  /// The frame itself, or single records in it that do not read.
  public var damage: [DamagedRegion] = []

  init(entry: FrameEntry) { self.entry = entry }

  init(entry: FrameEntry, damage reason: String) {
    self.entry = entry
    damage = [DamagedRegion(offset: entry.offset, byteCount: entry.end - entry.offset, reason: reason)]
  }

  /// Reads the records of `content`, passing over kinds that are not in `wanted`.
  init(entry: FrameEntry, content: RawSpan, wanted: KindSet) {
    self.entry = entry
    var cursor = ByteCursor(content)
    var samples: UInt64 = 0
    var nodes: UInt64 = 0
    do throws(MalformedInput) {
      while !cursor.isAtEnd {
        let kind = RecordKind(try cursor.uleb128("record.kind"))
        let length = try cursor.uleb128("record.byte_count")
        var payload = ByteCursor(try cursor.take(length, "record.payload"))
        counts[kind, default: 0] += 1
        guard wanted.contains(kind) else { continue }
        do throws(MalformedInput) {
          // A column of one value takes next to no space: without a limit on the sum, a small frame could fill the memory.
          if kind == .samples { samples += min(try SampleBatch.announcedCount(payload), 1 << 32) }
          if kind == .stacks { nodes += min(try StackBatch.announcedCount(payload), 1 << 32) }
          guard samples <= UInt64(Limits.samplesPerFrame), nodes <= UInt64(Limits.nodesPerFrame) else {
            report("more samples or stack nodes than a frame may hold")
            return
          }
          if let record = try TraceRecord(kind: kind, from: &payload) { records.append(record) }
        } catch {
          report("a \(kind.name) record: \(error)")
        }
      }
    } catch {
      report("\(error)")
    }
  }

  private mutating func report(_ reason: String) {
    // One region a frame: the rest of a frame that decodes at all is as likely made by hand as damaged.
    if damage.isEmpty {
      damage = [DamagedRegion(offset: entry.offset, byteCount: entry.end - entry.offset, reason: reason)]
    }
  }
}
