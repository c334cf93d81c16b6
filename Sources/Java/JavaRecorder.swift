import Base
import Dispatch
import Glibc
import Synchronization

/// Records JVMs by their own means, beside whatever else is recorded. One thread a JVM, because a JVM that does not answer
/// may hold it for seconds.
package final class JavaRecorder: Sendable {
  /// A recording of a JVM that began. Its number is never given again, whatever becomes of the process's.
  package struct Begun: Hashable, Sendable {
    package let session: UInt32
    package let process: UInt32
    /// Field 22 of its `/proc/PID/stat`.
    package let startTicks: UInt64
    package let engine: JavaEngine
    /// How the agent was told to sample, in its own words; empty when its chunks say it themselves.
    package let settings: String
  }
  /// A finished piece of a recording.
  package struct Chunk: Sendable {
    package let session: UInt32
    package let bytes: [UInt8]
  }
  /// Something worth telling the user.
  package struct Message: Hashable, Sendable {
    /// 0 when it is of none of them.
    package let process: UInt32
    package let text: String
    package let isWarning: Bool
    package init(process: UInt32, text: String, isWarning: Bool) {
      self.process = process
      self.text = text
      self.isWarning = isWarning
    }
  }

  private struct State {
    var news = News()
    var isEnding = false
    var sessions: UInt32 = 0
    var watch = JavaWatch()
  }

  private let orders: JavaOrders
  private let maximumSessions: Int
  private let state = Mutex(State())
  private let work = DispatchGroup()

  /// Dispatch gives all queues of a process 255 threads (measured); the rest of the program needs some, too.
  package static let maximumSessions = 160
  private static let pollMilliseconds = 500
  private static let lookMilliseconds = 1000
  /// So often in a row a JVM may fail to finish a chunk.
  private static let patience = 3

  package init(_ orders: JavaOrders, maximumSessions: Int = JavaRecorder.maximumSessions) {
    self.orders = orders
    self.maximumSessions = maximumSessions
  }

  package func start() {
    guard let named = orders.named else { return onThread("pyrorec.java") { [self] in lookForJVMs() } }
    for process in named.prefix(maximumSessions) { onThread("pyrorec.java.\(process)") { [self] in _ = record(process) } }
    for process in named.dropFirst(maximumSessions) { tell(process, "\(JavaError.tooMany(limit: maximumSessions))") }
  }

  /// A queue that does one thing at a time has a thread of its own as soon as it has something to do.
  private func onThread(_ name: String, _ body: @escaping @Sendable () -> Void) {
    DispatchQueue(label: name).async(group: work, execute: body)
  }

  /// What came since the last time it was taken.
  package struct News: Sendable {
    package var begun: [Begun] = []
    /// Of recordings that began in this or in earlier news, oldest first.
    package var chunks: [Chunk] = []
    /// Recordings that bring nothing more.
    package var ended: [UInt32] = []
    package var messages: [Message] = []
    package init() {}
  }
  package func takeNews() -> News {
    state.withLock { state in
      defer { state.news = News() }
      return state.news
    }
  }

  /// Ends all recordings.
  /// - Returns: whether all of them ended in time.
  package func finish(milliseconds: Int) -> Bool {
    state.withLock { $0.isEnding = true }
    return work.wait(timeout: .now() + .milliseconds(milliseconds)) == .success
  }

  /// Whether every JVM that was named is gone or refused; never when they are looked for.
  package var hasEnded: Bool { work.wait(timeout: .now()) == .success }

  private var isEnding: Bool { state.withLock { $0.isEnding } }

  private func tell(_ process: UInt32, _ text: String, isWarning: Bool = true) {
    state.withLock { $0.news.messages.append(Message(process: process, text: text, isWarning: isWarning)) }
  }

  // MARK: Which

  private func lookForJVMs() {
    while !isEnding {
      let listed = orders.listed
      let found = JavaWatch.look(listed)
      let due = state.withLock { $0.watch.due(found, everyProcess: listed == nil) }
      for one in due where orders.order(of: one.process) != nil {
        if listed == nil, !JavaTarget.isJVM(one.process) {
          state.withLock { $0.watch.passOver(one) }
          continue
        }
        begin(one)
      }
      pause(Self.lookMilliseconds)
    }
  }

  private func begin(_ one: JavaWatch.Program) {
    let limit = maximumSessions
    guard state.withLock({ $0.watch.begin(one, limit: limit) }) else { return ended(one, "\(JavaError.tooMany(limit: limit))") }
    onThread("pyrorec.java.\(one.process)") { [self] in ended(one, record(one.process)) }
  }

  /// Who could not be recorded is asked again later, and the reason told when it is another one than before.
  private func ended(_ one: JavaWatch.Program, _ problem: String?) {
    state.withLock { state in
      let isNews = state.watch.end(one, problem)
      if isNews, let problem { state.news.messages.append(Message(process: one.process, text: problem, isWarning: true)) }
    }
  }

  /// Sleeps, unless the end is asked for.
  private func pause(_ milliseconds: Int) {
    var left = milliseconds
    while left > 0, !isEnding {
      usleep(UInt32(min(left, 50)) * 1000)
      left -= 50
    }
  }

  // MARK: One of them

  /// - Returns: why it was not recorded, or not to its end; told already when it is named for good.
  private func record(_ process: UInt32) -> String? {
    guard let order = orders.order(of: process) else { return nil }
    var problem: String?
    do throws(JavaError) {
      let target = try JavaTarget(process: process)
      let (session, engine) = try begin(target, order)
      let number = state.withLock { state in
        state.sessions += 1
        let begun = Begun(
          session: state.sessions, process: process, startTicks: target.startTicks, engine: engine, settings: session.settings)
        state.news.begun.append(begun)
        return state.sessions
      }
      problem = follow(session, number, order)
    } catch { problem = "\(error)" }
    if let problem, orders.named != nil { tell(process, problem) }
    return problem
  }

  /// Takes its chunks until it or the order ends.
  private func follow(_ session: any JavaSession, _ number: UInt32, _ order: JavaOrder) -> String? {
    let target = session.target
    var problem: String?
    var failures = 0
    var sinceRotation = 0
    while !isEnding, problem == nil, target.isRunning, orders.order(of: target.process) == order {
      pause(Self.pollMilliseconds)
      keep(session.finished(), of: number)
      problem = Self.roomProblem(session)
      sinceRotation += Self.pollMilliseconds
      guard problem == nil, sinceRotation >= order.request.rotationSeconds * 1000, !isEnding else { continue }
      sinceRotation = 0
      do throws(JavaError) {
        try session.rotate()
        failures = 0
      } catch {
        guard target.isRunning else { break }
        failures += 1
        if failures == Self.patience { problem = "its recording was ended: \(error)" } else { tell(target.process, "\(error)") }
      }
      if let remark = session.takeRemark() { tell(target.process, remark) }
    }
    keep(session.end(), of: number, isLast: true)
    return problem
  }

  /// Where there is little room left the recording ends, before it ends the JVM.
  private static func roomProblem(_ session: any JavaSession) -> String? {
    do throws(JavaError) { try TargetSpace.check(session.target, at: session.folder, bytes: TargetSpace.bytesToGoOn) } catch {
      return "its recording was ended: \(error)"
    }
    return nil
  }

  private func begin(_ target: JavaTarget, _ order: JavaOrder) throws(JavaError) -> (any JavaSession, JavaEngine) {
    if target.kind == .other { throw .notHotSpot(process: target.process, what: "no JVM") }
    if target.kind == .openJ9 { throw .notHotSpot(process: target.process, what: "an OpenJ9 JVM") }
    guard target.allowsAttach else { throw .attachDisabled(process: target.process) }
    let feature = target.performance?.feature
    var hasFlightRecorder = true
    do throws(JavaError) { _ = try FlightRecorder(AttachClient(target), feature: feature ?? 0).recordings() } catch {
      guard case .refused = error else { throw error }
      hasFlightRecorder = false
    }
    let choice = EngineChoice(
      feature: feature, hasFlightRecorder: hasFlightRecorder, agent: order.agent, allowsAgents: target.allowsAgents, order.request)
    let session: any JavaSession
    switch choice.engine {
    case .asyncProfiler:
      guard let agent = order.agent else { throw .refused(command: "load", status: 0, text: choice.reason) }
      session = try AsyncProfilerSession(target, order.request, agent)
    case .flightRecorder: session = try FlightRecorderSession(target, order.request.forFlightRecorder)
    case .native: throw .refused(command: "record", status: 0, text: choice.reason)
    }
    if !order.isQuiet { tell(target.process, "recorded by \(choice.engine.rawValue), because \(choice.reason)", isWarning: false) }
    if let leftOut = choice.leftOut { tell(target.process, leftOut) }
    return (session, choice.engine)
  }

  private func keep(_ chunks: [[UInt8]], of session: UInt32, isLast: Bool = false) {
    state.withLock { state in
      for bytes in chunks { state.news.chunks.append(Chunk(session: session, bytes: bytes)) }
      if isLast { state.news.ended.append(session) }
    }
  }
}
