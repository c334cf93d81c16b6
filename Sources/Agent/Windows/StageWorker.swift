import Base
import Configuration
import Glibc
import Replayer
import Symbolize
import Profile
import Recorder
import Targets
import Uploader

/// Makes the profiles of finished windows, one after the other.
struct StageWorker: Sendable {
  let spool: Spool
  let windows: WindowQueue
  let keeper: SpoolKeeper
  let metrics: Metrics
  let environment: AgentEnvironment
  let deliveries: Deliveries
  let configuration: @Sendable () -> Configuration
  let discovered: DiscoveredTargets
  let userNames: [UInt32: String]
  let isEnding: @Sendable () -> Bool
  let store: ImageStore?
  private let memory = SymbolMemory()
  private let opened = OpenedImages()
  private let clock = AgentClock()

  init(
    spool: Spool, windows: WindowQueue, keeper: SpoolKeeper, metrics: Metrics, environment: AgentEnvironment,
    deliveries: Deliveries, configuration: @escaping @Sendable () -> Configuration, discovered: DiscoveredTargets,
    userNames: [UInt32: String], store: ImageStore?, isEnding: @escaping @Sendable () -> Bool
  ) {
    self.store = store
    self.spool = spool
    self.windows = windows
    self.keeper = keeper
    self.metrics = metrics
    self.environment = environment
    self.deliveries = deliveries
    self.configuration = configuration
    self.discovered = discovered
    self.userNames = userNames
    self.isEnding = isEnding
  }

  func run() {
    // What is profiled comes first; at the end somebody waits.
    _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 5)
    while let window = windows.next() {
      if isEnding() { _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 0) }
      makeProfiles(of: window)
      opened.settle()
      // Looking up names takes hundreds of megabytes for a moment, which the heap would keep.
      Heap.trim()
    }
  }

  private func makeProfiles(of window: String) {
    let stages = WindowStages(
      configuration: configuration(), discovered: discovered.all, userName: { userNames[$0] },
      symbolize: { trace in
        guard var stage = environment.symbolize(trace) else { return nil }
        stage.memory = memory
        stage.symbolizer.opened = opened
        if let store {
          let recorded = stage.symbolizer.locator.recordedCopy
          stage.symbolizer.locator.recordedCopy = { recorded($0) ?? store.copy(of: $0) }
        }
        return stage
      })
    let outcome: WindowStages.Outcome
    do throws(ReplayError) {
      outcome = try stages.run(window)
    } catch {
      metrics.add("pyrorec_spool_unreadable_total")
      environment.log(.error("\(window): \(error); what was in it is lost"))
      return spool.removeWindow(window)
    }
    if outcome.damagedRegions > 0 { environment.log(.warning("\(window): \(outcome.damagedRegions) damaged regions are left out")) }
    for problem in outcome.javaProblems { environment.log(.warning("\(window): \(problem)")) }
    count(outcome)
    var hasSaidWhy = false
    while true {
      do throws(SystemCallError) {
        try spool.add(outcome.batch, of: window)
        return deliveries.wake()
      } catch {
        if !hasSaidWhy { environment.log(.error("\(error)")) }
        hasSaidWhy = true
        // The window stays: the next agent finds it.
        if isEnding() { return }
        keeper.makeRoom(waiting: 0)
        clock.sleep(nanoseconds: 2_000_000_000)
      }
    }
  }

  private func count(_ outcome: WindowStages.Outcome) {
    metrics.add("pyrorec_left_out_samples_total", Double(outcome.leftOutSamples))
    for item in outcome.batch.items {
      let service = [item.upload.labels.first { $0.name == "service_name" }?.value ?? ""]
      metrics.add("pyroscope_ebpf_pprofs_total", 1, service)
      metrics.add("pyroscope_ebpf_pprof_bytes_total", Double(item.upload.profile.bytes.count), service)
      metrics.add("pyroscope_ebpf_pprof_samples_total", Double(item.upload.profile.sampleCount), service)
    }
  }
}

extension ImageStore {
  /// The copy of an image; `nil` when it is not there.
  func copy(of image: ImageIdentity) -> ImageBytes? {
    guard image.kind == .file else { return nil }
    let path = path(
      buildID: image.buildID, byteCount: image.byteCount, device: image.device, inode: image.inode, modified: image.modified)
    do { return try ImageBytes(writtenOnce: try OwnedDescriptor(open: path, O_RDONLY | O_NONBLOCK), path: path) } catch { return nil }
  }
}
