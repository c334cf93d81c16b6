import Base
import JFR
package import JavaProfiles
package import Replayer
package import Targets

/// The profiles of the JVMs' own recordings in a trace.
package struct TraceJava {
  /// What one set of labels has: its programs' recordings taken together.
  package struct Series {
    package var labels: LabelSet
    package var profiles: [JavaProfile]
    package var summary: JavaSummary
  }

  private let chunks: JavaChunks
  /// By chunk number: how an agent was told to sample, which only the first chunk of its recording says.
  private let settings: [UInt32: String]

  package init(_ contents: TraceContents) {
    chunks = contents.javaChunks
    var settings: [UInt32: String] = [:]
    for chunk in chunks.all { settings[chunk.number] = contents.facts["java_chunk.\(chunk.number).settings"] }
    self.settings = settings
  }

  package var isEmpty: Bool { chunks.isEmpty }

  /// Everything as if one JVM had done it.
  /// - Parameter warn: takes what could not be read, in words.
  package func all(_ options: JavaOptions, warn: (String) -> Void) -> (profiles: [JavaProfile], summary: JavaSummary) {
    read(chunks.all.indices, options, warn)
  }

  /// By series, sorted by labels. Programs that are left out have none.
  package func series(_ labelsOf: [UInt32: LabelSet], _ options: JavaOptions, warn: (String) -> Void) -> [Series] {
    var places: [LabelSet: [Int]] = [:]
    for (place, chunk) in chunks.all.enumerated() {
      if let labels = labelsOf[chunk.process] { places[labels, default: []].append(place) }
    }
    return places.keys.sorted().map { labels in
      let (profiles, summary) = read(places[labels] ?? [], options, warn)
      return Series(labels: labels, profiles: profiles, summary: summary)
    }
  }

  package var processes: [UInt32] { chunks.all.map(\.process) }

  private func read(_ places: some Sequence<Int>, _ options: JavaOptions, _ warn: (String) -> Void) -> ([JavaProfile], JavaSummary) {
    var recording = JavaRecording(options)
    // One JVM after the other: what a chunk goes on with is in the one before.
    var order: [UInt32: Int] = [:]
    for place in places where order[chunks.all[place].process] == nil { order[chunks.all[place].process] = order.count }
    let sorted = places.sorted { (order[chunks.all[$0].process] ?? 0, $0) < (order[chunks.all[$1].process] ?? 0, $1) }
    var last: UInt32?
    for place in sorted {
      let chunk = chunks.all[place]
      if chunk.process != last { recording.beginJVM() }
      last = chunk.process
      if !chunk.isWhole { warn("a part of a chunk of program \(chunk.process)'s own recording is missing") }
      if let settings = settings[chunk.number] { recording.assume(settings) }
      let known = recording.summary.problems.count
      // It throws while nothing at all could be read; what was wrong is in the summary, too.
      try? recording.read(chunk.bytes.borrowedBytes)
      for (_, problem) in recording.summary.problems.dropFirst(known) {
        warn("a chunk of program \(chunk.process)'s own recording \(problem)")
      }
    }
    let profiles = recording.profiles()
    return (profiles, recording.summary)
  }
}
