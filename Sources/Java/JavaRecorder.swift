import Base
import Dispatch
import Glibc
import Synchronization

/// Records JVMs by their own means, beside whatever else is recorded: those that were named, or every one there is and that
/// begins. One thread a JVM, because a JVM that does not answer may hold it for seconds.
package final class JavaRecorder: Sendable {
  /// A finished piece of a recording.
  package struct Chunk: Sendable {
    package let process: UInt32
    package let engine: JavaEngine
    package let bytes: [UInt8]
  }
  /// Something worth telling the user.
  package struct Message: Hashable, Sendable {
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
    var chunks: [Chunk] = []
    var began: [UInt32] = []
    var messages: [Message] = []
    var isEnding = false
    /// By process: the start time of the one that was looked at.
    var known: [UInt32: UInt64] = [:]
  }

  private let named: [UInt32]
  private let request: JavaRequest
  private let agent: AgentLibrary?
  private let state = Mutex(State())
  private let work = DispatchGroup()
  private let queue = DispatchQueue(label: "pyrorec.java", attributes: .concurrent)

  private static let pollMilliseconds = 500
  /// Before that a JVM may not have its signal handlers yet.
  private static let youngestSeconds = 1.5
  private static let maximumSessions = 64

  /// - Parameter named: none for every JVM.
  package init(named: [UInt32], _ request: JavaRequest, agent: AgentLibrary?) {
    self.named = named
    self.agent = agent
    self.request = request
  }

  package func start() {
    if named.isEmpty {
      queue.async(group: work) { [self] in lookForJVMs() }
    } else {
      for process in named { queue.async(group: work) { [self] in record(process) } }
    }
  }

  /// JVMs whose recording began since the last call.
  package func takeBegun() -> [UInt32] { state.withLock { state in take(&state.began) } }
  package func takeChunks() -> [Chunk] { state.withLock { state in take(&state.chunks) } }
  package func takeMessages() -> [Message] { state.withLock { state in take(&state.messages) } }

  private func take<Element>(_ list: inout [Element]) -> [Element] {
    defer { list = [] }
    return list
  }

  /// Ends all recordings.
  /// - Returns: whether all of them ended in time.
  package func finish(milliseconds: Int) -> Bool {
    state.withLock { $0.isEnding = true }
    return work.wait(timeout: .now() + .milliseconds(milliseconds)) == .success
  }

  /// Whether every JVM that was named is gone or refused; never when all are looked for.
  package var hasEnded: Bool { work.wait(timeout: .now()) == .success }

  private var isEnding: Bool { state.withLock { $0.isEnding } }

  private func tell(_ process: UInt32, _ text: String, isWarning: Bool = true) {
    state.withLock { $0.messages.append(Message(process: process, text: text, isWarning: isWarning)) }
  }

  // MARK: Which

  private func lookForJVMs() {
    // By process and program, since `exec` keeps a process's start: whether it was looked at, and when it was first seen.
    var looked: [String: (isDone: Bool, since: ContinuousClock.Instant)] = [:]
    var isFirst = true
    while !isEnding {
      var present: [String: (isDone: Bool, since: ContinuousClock.Instant)] = [:]
      let now = ContinuousClock.now
      for name in DirectoryListing.names(in: "/proc") {
        guard let process = UInt32(name), let stat = try? contents(of: "/proc/\(name)/stat", limit: 1 << 16),
          let start = JavaTarget.startTicks(stat)
        else { continue }
        let key = "\(name) \(start) \(JavaTarget.program(of: process))"
        let known = looked[key] ?? (false, now)
        // A program that has not mapped its JVM yet is asked again, until it is old enough.
        let isOld = isFirst ? Self.age(start) > Self.youngestSeconds : now - known.since > .seconds(Self.youngestSeconds)
        present[key] = (known.isDone || isOld, known.since)
        if isOld, !known.isDone, JavaTarget.isJVM(process) { begin(process, start) }
      }
      looked = present
      isFirst = false
      pause(1000)
    }
  }

  private func begin(_ process: UInt32, _ start: UInt64) {
    let isNew = state.withLock { state in
      guard state.known[process] != start, state.known.count < Self.maximumSessions else { return false }
      state.known[process] = start
      return true
    }
    if isNew { queue.async(group: work) { [self] in record(process) } }
  }

  private static func age(_ startTicks: UInt64) -> Double {
    var now = timespec()
    _ = unsafe clock_gettime(CLOCK_BOOTTIME, &now)
    return Double(now.tv_sec) + Double(now.tv_nsec) / 1e9 - Double(startTicks) / 100
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

  private func record(_ process: UInt32) {
    defer { state.withLock { _ = $0.known.removeValue(forKey: process) } }
    do throws(JavaError) {
      let target = try JavaTarget(process: process)
      let (session, engine) = try begin(target)
      state.withLock { $0.began.append(process) }
      var sinceRotation = 0
      while !isEnding, target.isRunning, hasRoom(session) {
        pause(Self.pollMilliseconds)
        keep(session.finished(), of: process, engine)
        sinceRotation += Self.pollMilliseconds
        if sinceRotation >= request.rotationSeconds * 1000, !isEnding {
          sinceRotation = 0
          do throws(JavaError) { try session.rotate() } catch { tell(process, "\(error)") }
        }
      }
      keep(session.end(), of: process, engine)
    } catch { tell(process, "\(error)") }
  }

  /// Where there is little room left the recording ends, before it ends the JVM.
  private func hasRoom(_ session: any JavaSession) -> Bool {
    do throws(JavaError) { try TargetSpace.check(session.target, at: session.folder, bytes: TargetSpace.bytesToGoOn) } catch {
      tell(session.target.process, "its recording was ended: \(error)")
      return false
    }
    return true
  }

  private func begin(_ target: JavaTarget) throws(JavaError) -> (any JavaSession, JavaEngine) {
    guard target.allowsAttach else { throw .attachDisabled(process: target.process) }
    let feature = target.performance?.feature
    var hasFlightRecorder = true
    do throws(JavaError) { _ = try FlightRecorder(AttachClient(target), feature: feature ?? 0).recordings() } catch {
      guard case .refused = error else { throw error }
      hasFlightRecorder = false
    }
    let choice = EngineChoice(
      feature: feature, hasFlightRecorder: hasFlightRecorder, agent: agent, allowsAgents: target.allowsAgents, request)
    let session: any JavaSession
    switch choice.engine {
    case .asyncProfiler:
      guard let agent else { throw .refused(command: "load", status: 0, text: choice.reason) }
      session = try AsyncProfilerSession(target, request, agent)
    case .flightRecorder: session = try FlightRecorderSession(target, request)
    case .native: throw .refused(command: "record", status: 0, text: choice.reason)
    }
    tell(target.process, "recorded by \(choice.engine.rawValue), because \(choice.reason)", isWarning: false)
    return (session, choice.engine)
  }

  private func keep(_ chunks: [[UInt8]], of process: UInt32, _ engine: JavaEngine) {
    guard !chunks.isEmpty else { return }
    state.withLock { $0.chunks += chunks.map { Chunk(process: process, engine: engine, bytes: $0) } }
  }
}
