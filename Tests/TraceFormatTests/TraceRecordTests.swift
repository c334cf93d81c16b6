import Base
import TestSupport
import Testing
import TraceFormat

struct TraceRecordTests {
  @Test func `there is a sample of every kind`() {
    #expect(Set(SampleRecords.all.map(\.kind)) == Set(RecordKind.all))
  }

  @Test(arguments: SampleRecords.all) func `a record reads back as it was written`(record: TraceRecord) throws {
    var writer = ByteWriter()
    record.value.encode(into: &writer)
    var cursor = ByteCursor(writer.bytes.borrowedBytes)
    let read = try decode(record.value, from: &cursor)
    #expect(read == record)
    let isAtEnd = cursor.isAtEnd
    #expect(isAtEnd)
  }

  @Test(arguments: SampleRecords.all) func `a record cut anywhere is malformed`(record: TraceRecord) {
    var writer = ByteWriter()
    record.value.encode(into: &writer)
    for length in 0..<writer.count {
      #expect(throws: MalformedInput.self, "\(record.kind.name) cut at \(length)") {
        var cursor = ByteCursor(writer.bytes.borrowedBytes.extracting(0..<length))
        _ = try decode(record.value, from: &cursor)
      }
    }
  }

  @Test(arguments: SampleRecords.all) func `fields that a newer version adds at the end are left alone`(record: TraceRecord) throws {
    var writer = ByteWriter()
    record.value.encode(into: &writer)
    writer.append([0xff, 0xff, 0xff])
    var cursor = ByteCursor(writer.bytes.borrowedBytes)
    let read = try decode(record.value, from: &cursor)
    #expect(read == record)
    let remaining = cursor.remaining
    #expect(remaining == 3)
  }

  @Test(arguments: SampleRecords.all) func `the halves of a record say what it says`(record: TraceRecord) throws {
    switch record {
    case .samples(let batch):
      let halves = try #require(batch.halves())
      #expect(halves.0.samples + halves.1.samples == batch.samples)
    case .stacks(let batch):
      let halves = try #require(batch.halves())
      #expect(halves.0.nodes + halves.1.nodes == batch.nodes)
      #expect(halves.1.firstNode.rawValue == 4 && halves.1.firstStack.rawValue == 2)
    case .imageChunk(let chunk):
      let halves = try #require(chunk.halves())
      #expect(halves.0.bytes + halves.1.bytes == chunk.bytes && halves.1.fileOffset.rawValue == 66)
    case .symbolStrings(let strings):
      let halves = try #require(strings.halves())
      #expect(halves.0.strings + halves.1.strings == strings.strings && halves.1.first == 2)
    default: break
    }
  }

  @Test func `samples are written by CPU and time whatever their order`() throws {
    func sample(_ cpu: UInt32, _ time: UInt64) -> Sample {
      Sample(
        cpu: cpu, timeMicroseconds: time, thread: ThreadHandle(1), userStack: .empty, kernelStack: .empty,
        event: EventHandle(0), weight: 1, result: 0)
    }
    var writer = ByteWriter()
    SampleBatch(samples: [sample(1, 30), sample(0, 20), sample(1, 10)]).encode(into: &writer)
    var cursor = ByteCursor(writer.bytes.borrowedBytes)
    let read = try SampleBatch(from: &cursor)
    #expect(read.samples == [sample(0, 20), sample(1, 10), sample(1, 30)])
  }

  @Test func `extreme numbers survive the columns`() throws {
    let samples = [0, 1, UInt64.max, 5, .max - 1, 1 << 63].map { value in
      Sample(
        cpu: .max, timeMicroseconds: value, thread: ThreadHandle(UInt32(truncatingIfNeeded: value)),
        userStack: StackHandle(.max), kernelStack: StackHandle(UInt32(truncatingIfNeeded: value >> 1)),
        event: EventHandle(0), weight: value, result: UInt8(truncatingIfNeeded: value))
    }.sorted { $0.timeMicroseconds < $1.timeMicroseconds }
    var writer = ByteWriter()
    SampleBatch(samples: samples).encode(into: &writer)
    var cursor = ByteCursor(writer.bytes.borrowedBytes)
    let read = try SampleBatch(from: &cursor)
    #expect(read.samples == samples)
  }

  private func decode(_ like: any SegmentRecord, from cursor: inout ByteCursor) throws(MalformedInput) -> TraceRecord? {
    try TraceRecord(kind: type(of: like).kind, from: &cursor)
  }
}
