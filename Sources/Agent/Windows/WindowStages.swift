import Base
package import Configuration
import JavaProfiles
import Profile
package import Replayer
import Symbolize
package import Targets
import TraceFormat
import Uploader

/// Makes profiles of a finished window: what was recorded, the names of its code, the labels of its programs.
package struct WindowStages: Sendable {
  package struct Outcome: Sendable {
    package var batch = ProfileBatch()
    package var samples: UInt64 = 0
    package var lostSamples: UInt64 = 0
    /// Samples of programs that no component profiles.
    package var leftOutSamples: UInt64 = 0
    package var damagedRegions = 0
    /// What is wrong with JVMs' own recordings, in words.
    package var javaProblems: [String] = []
  }

  package var configuration: Configuration
  /// By component.
  package var discovered: [String: [LabelSet]]
  package var userName: @Sendable (UInt32) -> String?
  package var symbolize: @Sendable (LoadedTrace) -> SymbolizeStage?

  package init(
    configuration: Configuration, discovered: [String: [LabelSet]], userName: @escaping @Sendable (UInt32) -> String?,
    symbolize: @escaping @Sendable (LoadedTrace) -> SymbolizeStage?
  ) {
    self.configuration = configuration
    self.discovered = discovered
    self.userName = userName
    self.symbolize = symbolize
  }

  /// - Throws: when nothing of the segment can be read.
  package func run(_ path: String) throws(ReplayError) -> Outcome {
    var trace = try LoadedTrace(path: path, workers: 1)
    var outcome = Outcome()
    outcome.samples = trace.contents.sampleCount
    outcome.lostSamples = trace.contents.lostSamples
    outcome.damagedRegions = trace.damage.count
    guard trace.contents.sampleCount > 0 || !trace.contents.javaChunks.isEmpty else { return outcome }
    let programs = ProgramLabels(trace.contents, configuration, discovered: discovered, userName: userName)
    outcome.leftOutSamples = programs.leftOutSamples
    addJava(TraceJava(trace.contents), programs, source: path, to: &outcome)
    guard trace.contents.sampleCount > 0 else { return outcome }
    let stage = symbolize(trace)
    let header = trace.reader.header
    let contents = trace.takeContents()
    let profilers = self.profilers
    for mode in Set(profilers.map(\.demangle)).sorted(by: { $0.rawValue < $1.rawValue }) {
      let claimed = profilers.filter { $0.demangle == mode }.map { (profiler: $0, labels: programs.labels(by: $0.id)) }
      guard claimed.contains(where: { !$0.labels.isEmpty }) else { continue }
      var replaying = ReplayConfiguration()
      replaying.demangle = mode
      let replay = Replay(header: header, contents: contents, replaying, symbolizingWith: stage)
      for (profiler, labels) in claimed {
        for series in replay.profiles(labels: labels, marks: profiler.marks) {
          let encoded = EncodedProfile(series.profile)
          guard encoded.sampleCount > 0 else { continue }
          let upload = UploadItem(
            source: path, labels: series.labels.labels.filter { $0.name != "__name__" }.map { UploadLabel($0.name, $0.value) },
            metric: MetricName.guess(sampleTypes: encoded.sampleTypes), profile: encoded)
          outcome.batch.items.append(ProfileBatch.Item(receivers: profiler.receivers, upload: upload))
        }
      }
    }
    return outcome
  }

  private func addJava(_ recordings: TraceJava, _ programs: ProgramLabels, source: String, to outcome: inout Outcome) {
    if recordings.isEmpty { return }
    let evaluation = configuration.evaluate { component, _ in discovered[component.id] ?? [] }
    for component in configuration.profiledTargets(of: evaluation) where component.component.kind.name == ComponentKind.java.name {
      let options = JavaPlan.options(component.arguments.profilingConfig)
      var problems: [String] = []
      for series in recordings.series(programs.labels(by: component.component.id), options, warn: { problems.append($0) }) {
        for profile in series.profiles {
          let encoded = EncodedProfile(profile.profile)
          guard encoded.sampleCount > 0 else { continue }
          var labels = series.labels.filter { $0.name != "__name__" }
          for label in profile.labels { labels[label.name] = label.value }
          let upload = UploadItem(
            source: source, labels: labels.labels.map { UploadLabel($0.name, $0.value) }, metric: profile.seriesName, profile: encoded)
          outcome.batch.items.append(ProfileBatch.Item(receivers: component.arguments.receivers("forward_to"), upload: upload))
        }
      }
      outcome.javaProblems += problems
    }
  }

  private struct Profiler {
    var id: String
    var receivers: [String]
    var demangle: DemangleMode
    var marks: SampleMarks
  }

  private var profilers: [Profiler] {
    let evaluation = configuration.evaluate { component, _ in discovered[component.id] ?? [] }
    return configuration.profiledTargets(of: evaluation).filter { $0.component.kind.name == ComponentKind.ebpf.name }.map {
      // Alloy takes any other word for `full`.
      Profiler(
        id: $0.component.id, receivers: $0.arguments.receivers("forward_to"),
        demangle: DemangleMode(rawValue: $0.arguments.string("demangle")) ?? .full, marks: SampleMarks($0.arguments))
    }
  }
}

extension SampleMarks {
  /// As a `pyroscope.ebpf` is told.
  init(_ arguments: DecodedBlock) {
    self.init()
    let comm = arguments.string("comm")
    labelsComm = comm == "label" || comm == "both"
    framesComm = comm == "stackframe" || comm == "both"
    labelsProcess = arguments.bool("pid_label")
    showsKernelFrames = arguments.bool("kernel_frames")
  }
}
