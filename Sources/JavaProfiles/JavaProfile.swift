package import Profile

/// One of the profiles of a recording.
package struct JavaProfile: Sendable {
  package let metric: JavaMetric
  /// Labels of its series that the recording itself gives, without a service name.
  package let labels: [(name: String, value: String)]
  package let profile: Profile
  /// The label `__name__`.
  package let seriesName: String
}

extension JavaRecording {
  /// A profile for each metric there are samples of, always in the same order.
  package mutating func profiles() -> [JavaProfile] {
    if cpuTime.count > 0 {
      if sets[JavaMetric.cpu.rawValue].count > 0 {
        summary.notes.append("jdk.ExecutionSample is left out, because jdk.CPUTimeSample says the same more exactly")
      }
      sets[JavaMetric.cpu.rawValue] = cpuTime
      executionPeriod = cpuTimePeriod
      summary.hasExecutionSamplesOnly = false
    }
    if memory.isOverLimit { summary.notes.append("too many native allocations to pair them with their frees") }
    sets[JavaMetric.mallocLive.rawValue] = memory.live()
    return JavaMetric.allCases.compactMap { metric in
      let set = sets[metric.rawValue]
      return set.count == 0 ? nil : profile(metric, set)
    }
  }

  private func profile(_ metric: JavaMetric, _ set: SampleSet) -> JavaProfile {
    var builder = ProfileBuilder(expectedSamples: set.count)
    // A counter's or a method's events are counted; they are no time.
    let counter = metric == .cpu && cpuTime.count == 0 ? settings.counter : nil
    if let counter {
      builder.addSampleType(counter, unit: "count")
      builder.setPeriod(executionPeriod, of: counter, unit: "count")
    } else {
      for type in metric.sampleTypes { builder.addSampleType(type.kind, unit: type.unit) }
      if let type = metric.periodType {
        builder.setPeriod(metric == .cpu ? executionPeriod : metric == .wall ? wallPeriod : 0, of: type.kind, unit: type.unit)
      }
    }
    builder.setTime(startNanoseconds: summary.startNanoseconds, durationNanoseconds: summary.durationNanoseconds)
    let mapping = builder.mapping(ProfileMapping(start: 0, limit: 0, offset: 0, file: .empty))
    let hasTwoValues = metric.sampleTypes.count == 2

    var locations = [LocationHandle?](repeating: nil, count: table.frameCount)
    var threadFrames: [[UInt8]: LocationHandle] = [:]
    let keys = (
      thread: builder.string("thread"), state: builder.string("thread_state"), span: builder.string("profile_id"),
      spanName: builder.string("span_name")
    )
    for number in 0..<set.count {
      let entry = set.entry(number)
      var stack: [LocationHandle] = []
      for frame in table.frames(ofStack: Int(entry.stack)) {
        if let known = locations[Int(frame)] {
          stack.append(known)
          continue
        }
        let parts = table.parts(ofFrame: frame)
        let name = table.names[parts.name]
        let function = builder.function(name: builder.string(utf8: name.span))
        let location = builder.location(
          mapping: mapping, address: 0, lines: [ProfileLine(function: function, line: parts.line)], isKernel: parts.isKernel)
        locations[Int(frame)] = location
        stack.append(location)
      }
      let of = labels.all[Int(entry.labels)]
      if options.framesThreads {
        let name = threadFrames[of.thread] ?? builder.threadFrame(of.thread, mapping)
        threadFrames[of.thread] = name
        stack.append(name)
      }
      var sampleLabels: [SampleLabel] = []
      if options.threads != .off { sampleLabels.append(SampleLabel(key: keys.thread, text: builder.string(utf8: of.thread.span))) }
      if !of.state.isEmpty { sampleLabels.append(SampleLabel(key: keys.state, text: builder.string(utf8: of.state.span))) }
      if of.span != 0 {
        sampleLabels.append(SampleLabel(key: keys.span, text: builder.string(Self.hexadecimal(of.span))))
        if !of.spanName.isEmpty { sampleLabels.append(SampleLabel(key: keys.spanName, text: builder.string(utf8: of.spanName.span))) }
      }
      let threadName = options.groupsByThreadName ? builder.string(utf8: of.thread.span) : .empty
      builder.addSample(
        locations: stack, values: hasTwoValues ? [entry.count, entry.value] : [entry.value], labels: sampleLabels,
        threadName: threadName)
    }
    var own: [(name: String, value: String)] = []
    // Before JDK 25 the JVM samples only some of the threads that run: shares are right, totals are not CPU time.
    if metric == .cpu, summary.hasExecutionSamplesOnly { own.append(("jfr_sampler", "execution")) }
    return JavaProfile(
      metric: metric, labels: own, profile: builder.finish(),
      seriesName: counter.map { "process_" + Self.safe($0) } ?? metric.seriesName)
  }

  private static func hexadecimal(_ number: Int64) -> String {
    let digits = String(UInt64(bitPattern: number), radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }

  /// With letters, digits and `_` only.
  private static func safe(_ text: String) -> String {
    String(text.prefix(60).map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "_" })
  }
}

extension ProfileBuilder {
  /// `[main]`
  fileprivate mutating func threadFrame(_ name: [UInt8], _ mapping: MappingHandle) -> LocationHandle {
    let text = [UInt8(ascii: "[")] + (name.isEmpty ? Array("unknown".utf8) : name) + [UInt8(ascii: "]")]
    let function = function(name: string(utf8: text.span))
    return location(mapping: mapping, address: 0, lines: [ProfileLine(function: function, line: 0)], isKernel: false)
  }
}
