import Base
import Replayer
import Testing
import TraceFormat

@Suite struct JavaChunksTests {
  private func part(_ chunk: UInt32, at offset: UInt64, _ bytes: [UInt8]) -> TraceRecord {
    .javaChunk(JavaChunkRecord(process: ProcessHandle(1), engine: .flightRecorder, chunk: chunk, offset: offset, bytes: bytes))
  }

  @Test func `parts of a chunk are put together`() {
    var contents = TraceContents()
    contents.add(part(0, at: 0, [1, 2]))
    contents.add(part(1, at: 0, [9]))
    contents.add(part(0, at: 2, [3]))
    #expect(contents.javaChunks.all.map(\.bytes) == [[1, 2, 3], [9]])
    #expect(contents.javaChunks.all.map(\.isWhole) == [true, true])
    #expect(contents.inconsistentRecords == 0)
  }

  @Test func `a chunk of which a part is missing ends there and is not called whole`() {
    var contents = TraceContents()
    contents.add(part(0, at: 0, [1, 2]))
    contents.add(part(0, at: 4, [5]))
    contents.add(part(0, at: 2, [3]))
    #expect(contents.javaChunks.all.map(\.bytes) == [[1, 2]])
    #expect(!contents.javaChunks.all[0].isWhole)
    #expect(contents.inconsistentRecords == 2)
  }
}
