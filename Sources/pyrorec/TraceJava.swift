import Base
import JFR
import JavaProfiles
import Replayer
import Targets

/// The profiles of the JVMs' own recordings in a trace.
struct TraceJava {
  /// What one set of labels has: its programs' recordings taken together.
  struct Series {
    var labels: LabelSet
    var profiles: [JavaProfile]
    var summary: JavaSummary
  }

  private let chunks: JavaChunks

  init(_ contents: TraceContents) { chunks = contents.javaChunks }

  var isEmpty: Bool { chunks.isEmpty }

  /// Everything as if one JVM had done it.
  func all(_ options: JavaOptions, _ console: Console) -> (profiles: [JavaProfile], summary: JavaSummary) {
    read(chunks.all.indices, options, console)
  }

  /// By series, sorted by labels. Programs that are left out have none.
  func series(_ labelsOf: [UInt32: LabelSet], _ options: JavaOptions, _ console: Console) -> [Series] {
    var places: [LabelSet: [Int]] = [:]
    for (place, chunk) in chunks.all.enumerated() {
      if let labels = labelsOf[chunk.process] { places[labels, default: []].append(place) }
    }
    return places.keys.sorted().map { labels in
      let (profiles, summary) = read(places[labels] ?? [], options, console)
      return Series(labels: labels, profiles: profiles, summary: summary)
    }
  }

  var processes: [UInt32] { chunks.all.map(\.process) }

  private func read(_ places: some Sequence<Int>, _ options: JavaOptions, _ console: Console) -> ([JavaProfile], JavaSummary) {
    var recording = JavaRecording(options)
    for place in places {
      let chunk = chunks.all[place]
      if !chunk.isWhole { console.warning("a part of a chunk of program \(chunk.process)'s own recording is missing") }
      do throws(ChunkProblem) { try recording.read(chunk.bytes.borrowedBytes) } catch {
        console.warning("a chunk of program \(chunk.process)'s own recording \(error)")
      }
    }
    let profiles = recording.profiles()
    return (profiles, recording.summary)
  }
}
