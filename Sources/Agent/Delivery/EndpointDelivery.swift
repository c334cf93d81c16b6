import Base
import Profile
package import Uploader

/// Delivers what waits in the spool to one endpoint, oldest first, whatever becomes of the others.
///
/// A profile that the server refuses for good is counted and left. One that it does not take for now is tried again as the
/// endpoint's policy says; when all tries are used up and the server takes others, those go first. Nothing is given up
/// because a server is away: only the spool's limits end the waiting.
package struct EndpointDelivery {
  package enum Event: Hashable, Sendable {
    case sent(bytes: Int)
    case refused(bytes: Int, title: String, reason: String)
    /// An attempt failed; another follows after so many milliseconds.
    case waiting(reason: String, milliseconds: UInt64)
    /// Everything is taken again after failures.
    case recovered
    /// Something is not sent as it was made, said once.
    case note(String)
    /// A batch cannot be read: what was in it is lost.
    case unreadable(batch: String, reason: String)
    /// What was sent cannot be noted: another run would send it again.
    case unnoted(String)
  }

  private let settings: EndpointSettings
  private let destination: any ProfileDestination
  private let clock: any UploadClock
  private let onEvent: (Event) -> Void
  private var random: SeededGenerator
  private var bucket: TokenBucket
  private var isFailing = false
  /// When a batch with profiles that the server did not take is looked at again.
  private var deferred: [String: UInt64] = [:]
  private var said: Set<UploadNote> = []
  private static let maximumSaid = 1000
  /// Delivered for this endpoint, and kept for another.
  private var done: Set<String> = []

  package init(
    _ settings: EndpointSettings, to destination: any ProfileDestination, clock: any UploadClock, seed: UInt64,
    onEvent: @escaping (Event) -> Void
  ) {
    self.settings = settings
    self.destination = destination
    self.clock = clock
    self.onEvent = onEvent
    random = SeededGenerator(seed: seed)
    let rules = destination.rules ?? DestinationRules()
    bucket = TokenBucket(bytesPerSecond: rules.bytesPerSecond, burst: rules.burstBytes)
  }

  /// The oldest batch that this endpoint has something to do with now.
  package mutating func next(of names: [String]) -> String? {
    let known = Set(names)
    done.formIntersection(known)
    deferred = deferred.filter { known.contains($0.key) }
    let now = clock.monotonicNanoseconds()
    return names.first { !done.contains($0) && deferred[$0].map { $0 <= now } ?? true }
  }

  /// Whether something of `names` is not delivered.
  package func hasMore(of names: [String]) -> Bool { names.contains { !done.contains($0) } }

  package enum Result: Hashable, Sendable {
    /// The endpoint has all of the batch, or never will.
    case delivered
    /// Some of it is left for later.
    case left
  }

  /// Sends what the endpoint does not have of a batch.
  /// - Parameter shouldStop: asked before every attempt.
  package mutating func deliver(_ name: String, in spool: Spool, shouldStop: () -> Bool) -> Result {
    let batch: ProfileBatch
    let journal: UploadJournal
    let plan: UploadPlan
    do {
      batch = try spool.load(name)
      let items = batch.items.filter { $0.receivers.contains(settings.receiver) }.map(\.upload).map { item in
        UploadItem(
          source: name, labels: item.labels.replaced(by: settings.externalLabels), metric: item.metric, profile: item.profile)
      }
      plan = try UploadPlan(items, rules: destination.rules, now: clock.unixNanoseconds(), restamp: false)
      journal = try spool.journal(name, of: settings.key)
    } catch {
      // Nothing will make it readable again.
      if spool.batchNames().contains(name) { onEvent(.unreadable(batch: name, reason: "\(error)")) }
      done.insert(name)
      return .delivered
    }
    for note in plan.notes where note.isWarning && said.count < Self.maximumSaid {
      // How old something is differs each time.
      if case .outsideWindow = note { continue }
      if said.insert(note).inserted { onEvent(.note("\(note)")) }
    }
    var queue = SplittingQueue(plan, maximumBytes: destination.rules?.maximumBytes ?? .max)
    let identity = destination.identity ?? settings.key
    var isLeft = false
    while let upload = queue.next() {
      if journal.contains(upload, destination: identity) { continue }
      if shouldStop() { return .left }
      switch attempt(upload, shouldStop) {
      case .accepted, .alreadyThere:
        journal.record(upload, destination: identity)
        onEvent(.sent(bytes: upload.profile.bytes.count))
      case .tooLarge(let why):
        if queue.split(upload) { continue }
        refuse(upload, why, journal, identity)
      case .refused(let why): refuse(upload, why, journal, identity)
      case .misconfigured, .unavailable:
        isLeft = true
        if shouldStop() { return .left }
      }
      if let problem = journal.problem { onEvent(.unnoted("\(problem)")) }
    }
    guard !isLeft else {
      deferred[name] = clock.monotonicNanoseconds() &+ settings.policy.maximumWaitMilliseconds &* 1_000_000
      return .left
    }
    done.insert(name)
    return .delivered
  }

  private func refuse(_ upload: PreparedUpload, _ why: String, _ journal: UploadJournal, _ identity: String) {
    journal.record(upload, destination: identity)
    onEvent(.refused(bytes: upload.profile.bytes.count, title: upload.title, reason: why))
  }

  /// Tries until the profile is taken or refused, all tries are used up at a server that answers, or the agent ends.
  private mutating func attempt(_ upload: PreparedUpload, _ shouldStop: () -> Bool) -> UploadOutcome {
    var number = 1
    while true {
      let wait = bucket.take(upload.chargedBytes, nowNanoseconds: clock.monotonicNanoseconds())
      if wait > 0 { clock.sleep(nanoseconds: wait) }
      let outcome = destination.send(upload)
      let why: Unavailability
      switch outcome {
      case .unavailable(let reason): why = reason
      // Who asks is wrong, or where: that may be mended while the agent runs, and then nothing is lost.
      case .misconfigured(let reason): why = Unavailability(reason, hasAnswered: false)
      default:
        if isFailing { onEvent(.recovered) }
        isFailing = false
        return outcome
      }
      isFailing = true
      if why.hasAnswered, number >= settings.policy.attempts { return outcome }
      var milliseconds = settings.policy.wait(after: number, random: &random)
      if case .misconfigured = outcome { milliseconds = max(milliseconds, min(60_000, settings.policy.maximumWaitMilliseconds)) }
      // A server may ask for more than our own longest wait, but not for ever.
      if let seconds = why.retryAfterSeconds { milliseconds = max(milliseconds, min(seconds, 3600) &* 1000) }
      onEvent(.waiting(reason: why.reason, milliseconds: milliseconds))
      if shouldStop() { return outcome }
      clock.sleep(nanoseconds: milliseconds &* 1_000_000)
      if shouldStop() { return outcome }
      number += 1
    }
  }
}

extension [UploadLabel] {
  /// These, and `others` in place of those of the same name.
  func replaced(by others: [UploadLabel]) -> [UploadLabel] {
    if others.isEmpty { return self }
    let names = Set(others.map(\.name))
    return filter { !names.contains($0.name) } + others
  }
}
