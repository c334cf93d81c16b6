package import Base

/// What perf says of processes beside the samples: names, forks, exits and mappings, in the order they happened.
package struct SidebandEvent: Sendable {
  package enum Kind: Sendable {
    /// `PERF_RECORD_MMAP2`: executable memory appeared.
    case mapping(Mapping)
    /// `PERF_RECORD_COMM`: a thread was renamed, or (`isExec`) the process runs another program from here on.
    case comm(name: [UInt8], isExec: Bool)
    /// `PERF_RECORD_FORK`: a thread, or a process when `parent` differs from the event's own process.
    case fork(parent: ProcessID, parentThread: ThreadID)
    /// `PERF_RECORD_EXIT` of the event's thread.
    case exit
    /// `PERF_RECORD_LOST`: so many records did not fit perf's buffer.
    case lost(count: UInt64)
  }

  package struct Mapping: Sendable, Hashable {
    package var start: UInt64
    package var byteCount: UInt64
    package var fileOffset: UInt64
    package var device: UInt64
    package var inode: UInt64
    package var inodeGeneration: UInt64
    package var protection: UInt8
    package var path: String
  }

  package var time: MonotonicInstant
  package var process: ProcessID
  package var thread: ThreadID
  package var kind: Kind
}

/// Reads the records of a perf ring buffer (linux/perf_event.h, `enum perf_event_type`), which all end in the
/// `sample_id` of `PERF_SAMPLE_TID | PERF_SAMPLE_TIME`.
package enum SidebandParser {
  private static let lost: UInt32 = 2
  private static let comm: UInt32 = 3
  private static let exit: UInt32 = 4
  private static let fork: UInt32 = 7
  private static let mmap2: UInt32 = 10
  private static let commExec: UInt16 = 1 << 13
  /// pid, tid, time.
  private static let sampleIDBytes = 16

  /// Appends every event in `bytes`, whole records one after another; records of other kinds are passed over.
  /// - Returns: how many records were not understood.
  package static func parse(_ bytes: RawSpan, into events: inout [SidebandEvent]) -> Int {
    var cursor = ByteCursor(bytes)
    var malformed = 0
    while cursor.remaining >= 8 {
      do throws(MalformedInput) {
        let type: UInt32 = try cursor.read("type")
        let misc: UInt16 = try cursor.read("misc")
        let size: UInt16 = try cursor.read("size")
        guard size >= 8 else { return malformed + 1 }
        let body = try cursor.take(Int(size) - 8, "record")
        do throws(MalformedInput) {
          if let event = try event(type: type, misc: misc, body) { events.append(event) }
        } catch {
          malformed += 1
        }
      } catch {
        return malformed + 1
      }
    }
    return malformed
  }

  private static func event(type: UInt32, misc: UInt16, _ body: RawSpan) throws(MalformedInput) -> SidebandEvent? {
    guard [lost, comm, exit, fork, mmap2].contains(type) else { return nil }
    guard body.byteCount >= sampleIDBytes else {
      throw MalformedInput(
        field: "sample_id", offset: FileOffset(0),
        problem: .truncated(needed: sampleIDBytes, remaining: body.byteCount))
    }
    var tail = ByteCursor(body.extracting((body.byteCount - sampleIDBytes)..<body.byteCount))
    let tailProcess: UInt32 = try tail.read("pid")
    let tailThread: UInt32 = try tail.read("tid")
    let time: UInt64 = try tail.read("time")
    var cursor = ByteCursor(body.extracting(0..<(body.byteCount - sampleIDBytes)))
    if type == lost {
      _ = try cursor.read("id", as: UInt64.self)
      let count: UInt64 = try cursor.read("lost")
      return SidebandEvent(
        time: MonotonicInstant(nanoseconds: time), process: ProcessID(tailProcess), thread: ThreadID(tailThread),
        kind: .lost(count: count))
    }
    let pid: UInt32 = try cursor.read("pid")
    let second: UInt32 = try cursor.read("tid or ppid")
    var process = ProcessID(pid)
    var thread = ThreadID(second)
    let kind: SidebandEvent.Kind
    switch type {
    case comm:
      kind = .comm(name: try cursor.cString("comm").copied(), isExec: misc & commExec != 0)
    case fork, exit:
      let tid: UInt32 = try cursor.read("tid")
      let parentThread: UInt32 = try cursor.read("ptid")
      thread = ThreadID(tid)
      kind = type == exit ? .exit : .fork(parent: ProcessID(second), parentThread: ThreadID(parentThread))
      process = ProcessID(pid)
    default:
      let start: UInt64 = try cursor.read("addr")
      let byteCount: UInt64 = try cursor.read("len")
      let fileOffset: UInt64 = try cursor.read("pgoff")
      let major: UInt32 = try cursor.read("maj")
      let minor: UInt32 = try cursor.read("min")
      let inode: UInt64 = try cursor.read("ino")
      let generation: UInt64 = try cursor.read("ino_generation")
      let protection: UInt32 = try cursor.read("prot")
      _ = try cursor.read("flags", as: UInt32.self)
      kind = .mapping(
        SidebandEvent.Mapping(
          start: start, byteCount: byteCount, fileOffset: fileOffset, device: UInt64(major) << 32 | UInt64(minor),
          inode: inode, inodeGeneration: generation, protection: UInt8(truncatingIfNeeded: protection),
          path: try cursor.cString("filename").text()))
    }
    return SidebandEvent(time: MonotonicInstant(nanoseconds: time), process: process, thread: thread, kind: kind)
  }
}
