import Base
import Glibc
import TestSupport
import Testing
import TraceFormat

struct SegmentFileTests {
  let directory = TemporaryDirectory()

  /// A small closed segment with one frame a record.
  private func closedSegment(_ name: String = "trace.seg") throws -> String {
    let path = directory.file(name)
    let writer = try SegmentWriter(path: path, header: SampleRecords.header)
    for record in SampleRecords.all where record.kind < .targetLabels || record.kind == .memory {
      try writer.append(record)
      try writer.flush()
    }
    try writer.close()
    return path
  }

  private func records(_ reader: SegmentReader, workers: Int = 1) throws -> [TraceRecord] {
    var all: [TraceRecord] = []
    try reader.forEachFrame(workers: workers) { all += $0.records }
    return all
  }

  @Test func `what was appended reads back in order, with any number of workers`() throws {
    let reader = try SegmentReader(path: closedSegment())
    #expect(reader.header == SampleRecords.header)
    #expect(reader.isClosed && reader.hasIndex && reader.damage.isEmpty)
    let expected = SampleRecords.all.filter { $0.kind < .targetLabels || $0.kind == .memory }
    #expect(try records(reader) == expected)
    #expect(try records(reader, workers: 8) == expected)
  }

  @Test func `walking the file finds what the index says`() throws {
    let path = try closedSegment()
    let walked = try SegmentReader(path: path, ignoringIndex: true)
    #expect(try walked.frames == SegmentReader(path: path).frames)
    #expect(walked.isClosed && !walked.hasIndex && walked.damage.isEmpty)
  }

  @Test func `only its owner can read a segment, and an older one is kept`() throws {
    let path = try closedSegment()
    let first = try bytes(of: path)
    _ = try closedSegment()
    #expect(try bytes(of: path + ".old") == first)
    var status = stat()
    #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o600)
    #expect(access(path + ".part", F_OK) != 0)
  }

  @Test func `a segment that is being written is not written by another recorder`() throws {
    let path = directory.file("trace.seg")
    let writer = try SegmentWriter(path: path, header: SampleRecords.header)
    #expect(throws: TraceError.inUse(path: path + ".part")) { try SegmentWriter(path: path, header: SampleRecords.header) }
    #expect(throws: TraceError.inUse(path: path + ".part")) { try SegmentAppender(path: path + ".part") }
    try writer.close()
  }

  @Test(.enabled(if: KernelAccess.isRoot, "only root can mount a small file system"))
  func `what a full disk has no room for waits, and is there when there is room again`() throws {
    let scratch = try ScratchDirectory()
    let mounted = try Command.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", scratch.path])
    // A container may forbid it; what is tested is not the mount.
    guard mounted.status == 0 else { return }
    defer { _ = try? Command.run(["umount", "-l", scratch.path]) }
    let path = scratch.path + "/trace.seg"
    let writer = try SegmentWriter(path: path, header: SampleRecords.header, patience: 1 << 20)
    func samples(_ second: UInt64) -> TraceRecord {
      .samples(
        SampleBatch(
          samples: (0..<1000).map {
            Sample(
              cpu: 0, timeMicroseconds: second * 1_000_000 + UInt64($0), thread: ThreadHandle(1), userStack: .empty, kernelStack: .empty,
              event: EventHandle(0), weight: 1, result: 0)
          }))
    }
    try writer.append(samples(1))
    try writer.flush()
    let other = scratch.path + "/other"
    _ = try Command.run(["dd", "if=/dev/zero", "of=\(other)", "bs=64k"])
    // What takes room: samples alone fit into the blocks that the file has.
    let bytes = (0..<65_536).map { _ in UInt8.random(in: 0...255) }
    for second in 2..<5 {
      try writer.append(ImageChunkRecord(image: ImageHandle(1), fileOffset: FileOffset(0), bytes: bytes))
      try writer.append(samples(UInt64(second)))
      try writer.flush()
    }
    #expect(writer.unwritten.samples == 3000)
    unlink(other)
    try writer.append(samples(5))
    try writer.flush()
    #expect(writer.unwritten.samples == 0 && writer.unwritten.byteCount == 0)
    try writer.close()
    var times: [UInt64] = []
    let reader = try SegmentReader(path: path)
    _ = try reader.forEachFrame(kinds: .all, workers: 1) { frame in
      for case .samples(let batch) in frame.records { times += batch.samples.map { $0.timeMicroseconds / 1_000_000 } }
    }
    #expect(reader.isClosed && times.count == 5000 && times == times.sorted())
  }

  @Test func `a record larger than a frame is written in parts`() throws {
    let path = directory.file("trace.seg")
    let writer = try SegmentWriter(path: path, header: SampleRecords.header)
    let symbols = (0..<60_000).map {
      KernelSymbolsRecord.Symbol(address: UInt64($0) * 16, byteCount: 16, name: "a_rather_long_symbol_\($0)", module: "")
    }
    try writer.append(KernelSymbolsRecord(symbols: symbols))
    try writer.append(ImageChunkRecord(image: ImageHandle(1), fileOffset: FileOffset(0), bytes: [UInt8](repeating: 7, count: 3 << 20)))
    try writer.append(.imageEnd(ImageEndRecord(image: ImageHandle(1), outcome: .full, copiedByteCount: 3 << 20)))
    try writer.close()
    var read: [KernelSymbolsRecord.Symbol] = []
    var copied = 0
    let reader = try SegmentReader(path: path)
    #expect(reader.frames.allSatisfy { $0.contentByteCount <= 1 << 20 })
    try reader.forEachFrame { frame in
      for record in frame.records {
        if case .kernelSymbols(let more) = record { read += more.symbols }
        if case .imageChunk(let chunk) = record {
          #expect(chunk.fileOffset.rawValue == UInt64(copied))
          copied += chunk.bytes.count
        }
        if case .imageEnd = record { #expect(copied == 3 << 20) }
      }
    }
    #expect(read == symbols)
    #expect(copied == 3 << 20)
  }

  @Test func `frames of other kinds are passed over unread`() throws {
    let reader = try SegmentReader(path: closedSegment())
    var frames = 0
    var seen: [TraceRecord] = []
    try reader.forEachFrame(kinds: KindSet(.thread, .loss)) { frame in
      frames += 1
      seen += frame.records
    }
    #expect(frames == 2)
    #expect(seen.map(\.kind) == [.thread, .loss])
  }

  @Test func `a layer appended later leaves what was there as it was`() throws {
    let path = try closedSegment()
    let before = try bytes(of: path)
    let appender = try SegmentAppender(path: path)
    #expect(appender.layer == 1)
    try appender.append(SymbolStringsRecord(layer: 1, first: 1, strings: ["main"]))
    try appender.close(.symbols)
    let after = try bytes(of: path)
    #expect(after.starts(with: before) && after.count > before.count)
    let reader = try SegmentReader(path: path)
    #expect(reader.hasIndex && reader.isClosed)
    #expect(
      try records(reader).suffix(2) == [
        .symbolStrings(SymbolStringsRecord(layer: 1, first: 1, strings: ["main"])),
        .layerEnd(LayerEndRecord(layer: 1, kind: .symbols, recordCount: 1)),
      ])
    #expect(try SegmentAppender(path: path).layer == 2)
  }

  @Test func `an append interrupted anywhere leaves the older state, and can be done again`() throws {
    let path = try closedSegment()
    let before = try bytes(of: path)
    let appender = try SegmentAppender(path: path)
    try appender.append(SymbolStringsRecord(layer: 1, first: 1, strings: ["main"]))
    try appender.close(.symbols)
    let after = try bytes(of: path)
    let older = try records(SegmentReader(path: closedSegment("other.seg")))
    for length in stride(from: before.count + 1, to: after.count, by: 7) {
      let cut = directory.file("cut.seg")
      try write(Array(after[..<length]), to: cut)
      let reader = try SegmentReader(path: cut)
      #expect(reader.isClosed, "cut at \(length)")
      #expect(try records(reader).filter { $0.kind < .targetLabels || $0.kind == .memory } == older)
      let again = try SegmentAppender(path: cut)
      try again.append(SymbolStringsRecord(layer: again.layer, first: 1, strings: ["again"]))
      try again.close(.symbols)
      let whole = try SegmentReader(path: cut, ignoringIndex: true)
      #expect(whole.damage.isEmpty, "cut at \(length)")
      #expect(try bytes(of: cut).starts(with: before))
    }
  }

  @Test func `a segment cut anywhere gives a prefix of its records and never calls itself closed`() throws {
    let path = try closedSegment()
    let whole = try bytes(of: path)
    let all = try records(SegmentReader(path: path))
    let cut = directory.file("cut.seg")
    var most = 0
    for length in 0..<whole.count {
      try write(Array(whole[..<length]), to: cut)
      do {
        let reader = try SegmentReader(path: cut)
        let read = try records(reader)
        #expect(!reader.isClosed, "cut at \(length)")
        #expect(all.starts(with: read), "cut at \(length)")
        #expect(read.count >= most, "cut at \(length)")
        most = read.count
      } catch let error as TraceError {
        #expect(error.isUnreadableTrace, "cut at \(length): \(error)")
      }
    }
    #expect(most == all.count)
  }

  @Test func `no flipped bit goes unseen`() throws {
    let path = try closedSegment()
    let whole = try bytes(of: path)
    let all = try records(SegmentReader(path: path))
    let damaged = directory.file("flipped.seg")
    var random = SeededGenerator(seed: 42)
    for _ in 0..<2000 {
      let bit = Int(random.next() % UInt64(whole.count * 8))
      var flipped = whole
      flipped[bit / 8] ^= 1 << UInt8(bit % 8)
      try write(flipped, to: damaged)
      do {
        for ignoringIndex in [false, true] {
          let reader = try SegmentReader(path: damaged, ignoringIndex: ignoringIndex)
          var read: [TraceRecord] = []
          let damage = try reader.forEachFrame { read += $0.records }
          if ignoringIndex {
            #expect(!damage.isEmpty || !reader.damage.isEmpty || !reader.isClosed, "bit \(bit)")
          }
          // One frame at most is lost, and one frame holds one record.
          #expect(read.count >= all.count - 1, "bit \(bit)")
          #expect(read.allSatisfy { all.contains($0) }, "bit \(bit)")
        }
      } catch {
        #expect(error.isUnreadableTrace, "bit \(bit): \(error)")
      }
    }
  }

  @Test func `a recorder killed at any byte leaves every frame before it readable`() throws {
    let path = directory.file("trace.seg")
    let writer = try SegmentWriter(path: path, header: SampleRecords.header)
    for record in SampleRecords.all.prefix(12) {
      try writer.append(record)
      try writer.flush()
    }
    let part = try bytes(of: path + ".part")
    let reader = try SegmentReader(path: path + ".part")
    #expect(!reader.isClosed && reader.damage.isEmpty)
    #expect(try records(reader) == Array(SampleRecords.all.prefix(12)))
    let cut = directory.file("killed.seg.part")
    try write(Array(part.dropLast(3)), to: cut)
    #expect(try records(SegmentReader(path: cut)) == Array(SampleRecords.all.prefix(11)))
    try writer.close()
  }

  @Test func `a newer major version is refused with both numbers`() throws {
    var header = SampleRecords.header
    header.version = FormatVersion(major: 9, minor: 4)
    let path = directory.file("trace.seg")
    try SegmentWriter(path: path, header: header).close()
    let error = #expect(throws: TraceError.self) { try SegmentReader(path: path) }
    #expect(error == .newerVersion(path: path, found: FormatVersion(major: 9, minor: 4)))
    #expect("\(error ?? .empty(path: ""))".contains("9.4"))
    #expect("\(error ?? .empty(path: ""))".contains("\(FormatVersion.current)"))
  }

  @Test func `a newer minor version reads, and what it added is counted`() throws {
    struct Novelty: SegmentRecord {
      static let kind = RecordKind(70)
      init() {}
      init(from cursor: inout ByteCursor) throws(MalformedInput) {}
      func encode(into writer: inout ByteWriter) { writer.append([1, 2, 3]) }
    }
    let path = directory.file("trace.seg")
    var header = SampleRecords.header
    header.version.minor = 7
    let writer = try SegmentWriter(path: path, header: header)
    try writer.append(Novelty())
    try writer.append(SessionFactRecord(name: "a", value: "b"))
    try writer.close()
    var counts: [RecordKind: UInt64] = [:]
    let reader = try SegmentReader(path: path)
    try reader.forEachFrame { frame in
      counts.merge(frame.counts, uniquingKeysWith: +)
      #expect(frame.records.map(\.kind) == [.sessionFact])
    }
    #expect(counts == [RecordKind(70): 1, .sessionFact: 1])
  }

  @Test func `what is no segment is told from one cut short`() throws {
    let path = directory.file("x")
    try write([], to: path)
    #expect(throws: TraceError.empty(path: path)) { try SegmentReader(path: path) }
    try write(Array("#!/bin/sh\necho a script that is long enough\n".utf8), to: path)
    #expect(throws: TraceError.notASegment(path: path)) { try SegmentReader(path: path) }
    let whole = try bytes(of: closedSegment())
    try write(Array(whole[..<40]), to: path)
    #expect(throws: TraceError.cutShort(path: path, byteCount: 40)) { try SegmentReader(path: path) }
  }

  @Test func `frames of very many samples that say nothing are refused before they fill the memory`() throws {
    let idle = Sample(
      cpu: 0, timeMicroseconds: 0, thread: ThreadHandle(0), userStack: .empty, kernelStack: .empty, event: EventHandle(0),
      weight: 1, result: 0)
    var batch = ByteWriter()
    SampleBatch(samples: [Sample](repeating: idle, count: 1 << 16)).encode(into: &batch)
    #expect(batch.count < 4096)
    /// The same batch again and again, told apart from samples so that the writer does not hold it to the limit.
    struct Bomb: SegmentRecord {
      static let kind = RecordKind.samples
      var bytes: [UInt8]
      init(bytes: [UInt8]) { self.bytes = bytes }
      init(from cursor: inout ByteCursor) throws(MalformedInput) { bytes = [] }
      func encode(into writer: inout ByteWriter) { writer.append(bytes) }
    }
    let path = directory.file("trace.seg")
    let writer = try SegmentWriter(path: path, header: SampleRecords.header)
    for _ in 0..<100 { try writer.append(Bomb(bytes: batch.bytes)) }
    try writer.close()
    let reader = try SegmentReader(path: path)
    #expect(reader.frames.count == 1)
    var samples = 0
    let damage = try reader.forEachFrame { frame in
      for case .samples(let batch) in frame.records { samples += batch.samples.count }
    }
    #expect(damage.count == 1)
    #expect(samples == Limits.samplesPerFrame)
  }

  @Test(.enabled(if: access("/usr/bin/lz4", X_OK) == 0)) func `the lz4 command tests and prints a segment`() throws {
    let path = try closedSegment()
    #expect(system("lz4 -tq \(path) 2>/dev/null") == 0)
    #expect(system("lz4 -dcq \(path) > \(path).records 2>/dev/null") == 0)
    let expected = try SegmentReader(path: path).frames.reduce(0) { $0 + Int($1.contentByteCount) }
    #expect(try bytes(of: path + ".records").count == expected)
  }
}
