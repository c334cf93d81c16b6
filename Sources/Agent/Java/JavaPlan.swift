package import Configuration
package import Java
import JavaProfiles
import Targets

/// What the `pyroscope.java` components of a configuration want of the JVMs among their targets.
package struct JavaPlan: Sendable {
  /// By component; one whose settings cannot be used has none.
  package private(set) var orders: [String: JavaOrder] = [:]
  /// The shortest of the intervals, in nanoseconds.
  package private(set) var shortestInterval: Int64?
  /// What is asked for and not done.
  package private(set) var remarks: [String] = []

  /// - Parameters:
  ///   - agent: the library for components that name none.
  ///   - load: reads a library.
  package init(
    _ profiled: [Configuration.ProfiledTargets], agent: AgentLibrary? = nil,
    load: (String) throws(JavaError) -> AgentLibrary = { path throws(JavaError) in try AgentLibrary(path: path) }
  ) {
    for component in profiled where component.component.kind.name == ComponentKind.java.name {
      let id = component.component.id
      let settings = component.arguments.profilingConfig
      var own = agent
      let folder = component.arguments.string("dist")
      if !folder.isEmpty {
        do throws(JavaError) { own = try load(folder + "/lib/libasyncProfiler.so") } catch { remarks.append("\(id): dist: \(error)") }
      }
      do throws(AsprofArguments.Problem) {
        var order = JavaOrder(try Self.request(settings), agent: own)
        order.request.folder = component.arguments.string("tmp_dir")
        order.isQuiet = settings.bool("quiet")
        guard !order.request.isEmpty else {
          remarks.append("\(id): neither cpu, alloc nor lock is asked for: its targets are not profiled")
          continue
        }
        orders[id] = order
        shortestInterval = min(shortestInterval ?? .max, settings.duration("interval"))
      } catch { remarks.append("\(id): \(error): its targets are not profiled") }
    }
  }

  package var isWanted: Bool { !orders.isEmpty }

  /// What is wanted of each process. Of several components the first one's word counts.
  package func orders(_ profiled: [Configuration.ProfiledTargets]) -> [UInt32: JavaOrder] {
    var all: [UInt32: JavaOrder] = [:]
    for component in profiled {
      guard let order = orders[component.component.id] else { continue }
      for target in component.index.targets {
        // As the component's page has it: a target without a process is none of a JVM.
        guard let process = target[SpecialLabel.processID].flatMap({ UInt32($0) }), all[process] == nil else { continue }
        all[process] = order
      }
    }
    return all
  }

  /// A `profiling_config`; what it means to async-profiler is in its `asprof`.
  static func request(_ settings: DecodedBlock) throws(AsprofArguments.Problem) -> JavaRequest {
    var request = JavaRequest.nothing
    let custom = settings.strings("custom_arguments")
    if !custom.isEmpty {
      request = try AsprofArguments.request(custom)
    } else {
      if settings.bool("cpu") {
        let rate = max(1, settings.integer("sample_rate"))
        try AsprofArguments.apply(settings.string("event"), max(1, 1_000_000_000 / rate), to: &request)
      }
      let (alloc, lock) = (settings.string("alloc"), settings.string("lock"))
      if !alloc.isEmpty {
        request.allocationBytes = try AsprofArguments.bytes(alloc, of: "alloc")
        request.usesTLABs = settings.bool("tlab")
      }
      if !lock.isEmpty { request.lockNanoseconds = try AsprofArguments.nanoseconds(lock, of: "lock") }
      request.logLevel = settings.string("log_level")
    }
    request.rotationSeconds = Int(clamping: max(1, settings.duration("interval") / 1_000_000_000))
    return request
  }

  /// How a component's profiles are made.
  static func options(_ settings: DecodedBlock) -> JavaOptions {
    var options = JavaOptions()
    options.framesThreads = settings.bool("per_thread")
    return options
  }
}
