import Base
import Testing
import TraceFormat

@testable import Java
@testable import Recorder

struct JavaChunkWriterTests {
  private let files = FakeFiles()

  private func begun(_ session: UInt32, _ process: UInt32, ticks: UInt64, settings: String = "") -> JavaRecorder.Begun {
    JavaRecorder.Begun(
      session: session, process: process, startTicks: ticks, engine: settings.isEmpty ? .flightRecorder : .asyncProfiler, settings: settings
    )
  }

  private func news(_ begun: [JavaRecorder.Begun], _ chunks: [(UInt32, Int)], ended: [UInt32] = []) -> JavaRecorder.News {
    var news = JavaRecorder.News()
    news.begun = begun
    news.chunks = chunks.map { JavaRecorder.Chunk(session: $0.0, bytes: [UInt8](repeating: UInt8($0.0), count: $0.1)) }
    news.ended = ended
    return news
  }

  private func writer(_ sink: MemorySink) -> (JavaChunkWriter, RecordingCore) {
    let core = RecordingCore(files: files, opener: NoImages(), sink: sink, copier: CopyRequests())
    return (JavaChunkWriter(JavaOrders(.named([], JavaOrder(JavaRequest()))), core: core, sink: sink, onMessage: nil), core)
  }

  private func processes(_ sink: MemorySink) -> [ProcessRecord] {
    sink.records.compactMap { if case .process(let record) = $0 { record } else { nil } }
  }
  private func chunks(_ sink: MemorySink) -> [JavaChunkRecord] {
    sink.records.compactMap { if case .javaChunk(let record) = $0 { record } else { nil } }
  }

  @Test func `two JVMs that had one number, one after the other, keep their chunks apart`() throws {
    let sink = MemorySink()
    let (writer, _) = writer(sink)
    files.add(7, comm: "java", ticks: 100, executable: "/opt/one/java")
    try writer.write(news([begun(1, 7, ticks: 100)], []), time: 1)
    files.add(7, comm: "java", ticks: 900, executable: "/opt/two/java")
    // The end of the one and the beginning of the other in one look.
    try writer.write(news([begun(2, 7, ticks: 900)], [(1, 10), (2, 20)], ended: [1]), time: 2)
    let names = Dictionary(uniqueKeysWithValues: processes(sink).map { ($0.handle, $0.executable) })
    #expect(chunks(sink).map { names[$0.process] } == ["/opt/one/java", "/opt/two/java"])
    #expect(chunks(sink).map(\.chunk) == [0, 1])
  }

  @Test func `another segment says again who they are, also of a JVM that is gone`() throws {
    let sink = MemorySink()
    let (writer, core) = writer(sink)
    files.add(7, comm: "java", ticks: 100)
    files.add(8, comm: "java", ticks: 200)
    core.scan(only: nil, time: 1)
    try writer.write(
      news([begun(1, 7, ticks: 100), begun(2, 8, ticks: 200, settings: "event=wall,interval=5")], [(1, 1), (2, 1)]), time: 1)
    #expect(writer.hasWritten)
    files.texts["7/stat"] = nil
    let next = MemorySink()
    core.begin(sink: next, copier: CopyRequests())
    writer.begin(sink: next)
    #expect(!writer.hasWritten)
    try writer.write(news([], [(2, 3), (1, 600_000)], ended: [1]), time: 2)
    #expect(processes(next).map(\.identity.pid.rawValue) == [8, 7])
    #expect(chunks(next).map(\.chunk) == [0, 1, 1, 1])
    #expect(chunks(next).map(\.process.rawValue) == [1, 2, 2, 2])
    #expect(chunks(next).reduce(0) { $0 + $1.bytes.count } == 600_003)
    let facts = next.records.compactMap { if case .sessionFact(let fact) = $0 { "\(fact.name) \(fact.value)" } else { nil } }
    #expect(facts == ["java_chunk.0.settings event=wall,interval=5"])
  }

  @Test func `a JVM that was gone before it was asked who it is costs its chunks, and is told of`() throws {
    let sink = MemorySink()
    let (writer, _) = writer(sink)
    try writer.write(news([begun(1, 7, ticks: 100)], [(1, 10)]), time: 1)
    #expect(sink.records.isEmpty)
    #expect(writer.messages.map(\.process) == [7])
  }
}
