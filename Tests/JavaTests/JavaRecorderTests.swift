import Base
import Glibc
import JFR
import Java
import TestSupport
import Testing

/// Several JVMs that come and go. Skipped where there is no `java`.
@Suite(.serialized, .enabled(if: JavaProgram.isThere, "there is no JDK in PATH (java and javac)"))
struct `a recorder of JVMs` {
  private func order(seconds: Int = 1) -> JavaOrder {
    var request = JavaRequest()
    request.rotationSeconds = seconds
    return JavaOrder(request)
  }

  /// What it brings until `isDone`.
  private func follow(_ recorder: JavaRecorder, seconds: Int = 40, until isDone: (JavaRecorder.News) -> Bool) -> JavaRecorder.News {
    var all = JavaRecorder.News()
    for _ in 0..<(seconds * 10) where !isDone(all) {
      usleep(100_000)
      all.add(recorder.takeNews())
    }
    return all
  }

  @Test func `records those that are listed, as long as they are`() throws {
    let (one, two) = (try JavaProgram(), try JavaProgram())
    let orders = JavaOrders(.listed([one.process: order()]))
    let recorder = JavaRecorder(orders)
    recorder.start()
    var news = follow(recorder) { $0.chunks.count >= 2 }
    #expect(news.begun.map(\.process) == [one.process], "\(news.messages)")
    orders.list([two.process: order()])
    news.add(follow(recorder) { !$0.ended.isEmpty && !$0.begun.isEmpty && !$0.chunks.isEmpty })
    #expect(news.begun.map(\.process) == [one.process, two.process], "\(news.messages)")
    #expect(news.ended == [news.begun[0].session])
    let left = try FlightRecorder(AttachClient(JavaTarget(process: one.process)), feature: 17).recordings()
    #expect(left.isEmpty, "who is no longer listed records no longer")
    // Told otherwise it goes on as it is told.
    orders.list([two.process: order(seconds: 2)])
    news.add(follow(recorder) { $0.begun.count == 1 })
    #expect(news.begun.map(\.process) == [one.process, two.process, two.process])
    #expect(Set(news.begun.map(\.session)).count == 3)
    #expect(recorder.finish(milliseconds: 20_000))
    #expect(news.messages.allSatisfy { !$0.isWarning }, "\(news.messages)")
  }

  @Test func `keeps what one recorded that died, and goes on with the others`() throws {
    let (one, two) = (try JavaProgram(), try JavaProgram())
    let recorder = JavaRecorder(JavaOrders(.listed([one.process: order(seconds: 60), two.process: order()])))
    recorder.start()
    var news = follow(recorder) { $0.begun.count == 2 }
    // The JVM flushes once a second.
    sleep(4)
    news.add(recorder.takeNews())
    kill(pid_t(one.process), SIGKILL)
    news.add(follow(recorder) { !$0.ended.isEmpty })
    let session = try #require(news.begun.first { $0.process == one.process }?.session)
    #expect(news.ended == [session])
    let chunks = news.chunks.filter { $0.session == session }
    #expect(chunks.count == 1, "\(news.messages)")
    let chunk = try #require(chunks.first).bytes
    let header = try ChunkHeader(chunk.borrowedBytes)
    #expect(header.byteCount > 10_000)
    #expect(!follow(recorder) { !$0.chunks.isEmpty }.chunks.isEmpty, "the other one goes on")
    #expect(recorder.finish(milliseconds: 20_000))
  }

  @Test func `says of whom it has no room for that they are not recorded`() throws {
    let (one, two) = (try JavaProgram(), try JavaProgram())
    let recorder = JavaRecorder(JavaOrders(.listed([one.process: order(), two.process: order()])), maximumSessions: 1)
    recorder.start()
    let news = follow(recorder) { !$0.begun.isEmpty && $0.messages.contains(where: \.isWarning) }
    #expect(news.begun.count == 1)
    #expect(news.messages.filter(\.isWarning).map(\.text).allSatisfy { $0.contains("1 JVMs are being recorded, the most at a time") })
    #expect(recorder.finish(milliseconds: 20_000))
  }

  @Test func `answers for each of many that were named, also for those beyond its limit`() {
    let limit = JavaRecorder.maximumSessions
    // Nobody has these numbers.
    let processes = (0..<(limit + 20)).map { 4_200_000 + UInt32($0) }
    let recorder = JavaRecorder(JavaOrders(.named(processes, order())))
    recorder.start()
    let news = follow(recorder) { $0.messages.count >= limit + 20 }
    #expect(Set(news.messages.map(\.process)) == Set(processes))
    #expect(news.messages.count { $0.text.contains("the most at a time") } == 20)
    #expect(recorder.hasEnded)
  }

  @Test func `tells of a listed process that is no JVM, once`() throws {
    let other = try RunningCommand(["sleep", "60"])
    let recorder = JavaRecorder(JavaOrders(.listed([UInt32(other.pid): order()])))
    recorder.start()
    var news = follow(recorder) { !$0.messages.isEmpty }
    sleep(3)
    news.add(recorder.takeNews())
    #expect(news.messages.map(\.text) == ["\(JavaError.notHotSpot(process: UInt32(other.pid), what: "no JVM"))"])
    #expect(recorder.finish(milliseconds: 5000))
    #expect(kill(other.pid, 0) == 0)
  }

  @Test func `never signals the program that a JVM's process runs later`() throws {
    // The shell becomes `sleep` in the JVM's stead: number and start stay.
    let running = try RunningCommand(["sh", "-c", "exec sleep 60"])
    usleep(300_000)
    var target = try JavaTarget(process: UInt32(running.pid))
    // As it was looked at while it was one.
    target.kind = .hotSpot(library: "/libjvm.so")
    target.catchesQuit = true
    #expect(throws: JavaError.signalNotCaught(process: target.process)) { try AttachClient(target).ask("jcmd", ["VM.version"]) }
    usleep(200_000)
    #expect(kill(running.pid, 0) == 0)
    target.program = "1:1"
    #expect(!target.isRunning, "another program is another target")
  }
}

extension JavaRecorder.News {
  fileprivate mutating func add(_ others: JavaRecorder.News) {
    begun += others.begun
    chunks += others.chunks
    ended += others.ended
    messages += others.messages
  }
}
