/// Guesses what a profile measures from its sample types, as Pyroscope's `/ingest` does for pprof of unknown origin.
package enum MetricName {
  package static func guess(sampleTypes: [String]) -> String {
    if sampleTypes.contains("wall") { return "wall" }
    for type in sampleTypes {
      if type.contains("cpu") { return "process_cpu" }
      if type.hasPrefix("alloc_") || type.hasPrefix("inuse_") || type == "space" || type == "objects" { return "memory" }
      if type.hasPrefix("mutex_") { return "mutex" }
      if type.hasPrefix("block_") { return "block" }
      if type.hasPrefix("goroutine") { return "goroutines" }
    }
    return sampleTypes.last ?? "profile"
  }
}
