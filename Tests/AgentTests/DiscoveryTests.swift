import Configuration
import Targets
import TestSupport
import Testing
import TraceFormat

@testable import Agent

struct DiscoveredTargetsTests {
  private let text = """
    discovery.docker "d" {
      host = "unix:///docker.sock"
      refresh_interval = "10s"
    }
    discovery.process "p" {
      join = discovery.docker.d.targets
      refresh_interval = "30s"
    }
    """

  @Test func `each source is asked at its own interval, with what it refers to`() throws {
    let configuration = try Reading.configuration(text)
    let discovered = DiscoveredTargets()
    var asked: [String] = []
    func refresh(_ seconds: UInt64, _ found: [LabelSet]) -> UInt64 {
      discovered.refresh(configuration, now: seconds * 1_000_000_000) { component, arguments in
        asked.append("\(component.id) \(arguments.targets("join").count)")
        return Discovered(targets: found)
      } / 1_000_000_000
    }
    let one = LabelSet(["__container_id__": "1"])
    #expect(refresh(100, [one]) == 110)
    #expect(asked == ["discovery.docker.d 0", "discovery.process.p 1"])
    asked = []
    #expect(refresh(105, []) == 110)
    #expect(asked.isEmpty)
    #expect(refresh(110, [one, LabelSet(["__container_id__": "2"])]) == 120)
    #expect(asked == ["discovery.docker.d 0"])
    #expect(discovered.current["discovery.docker.d"]?.count == 2)
    asked = []
    _ = refresh(130, [])
    #expect(asked == ["discovery.docker.d 0", "discovery.process.p 0"])
    // What was there a moment ago has samples in this window.
    #expect(discovered.current["discovery.docker.d"] == [])
    #expect(discovered.all["discovery.docker.d"]?.count == 2)
  }

  @Test func `a source that cannot be asked is taken to be as it was`() throws {
    let configuration = try Reading.configuration(text)
    let discovered = DiscoveredTargets()
    let one = LabelSet(["__container_id__": "1"])
    _ = discovered.refresh(configuration, now: 1) { _, _ in Discovered(targets: [one]) }
    _ = discovered.refresh(configuration, now: 60_000_000_000) { _, _ in Discovered(targets: [], problem: "connection refused") }
    #expect(discovered.current["discovery.docker.d"] == [one])
    #expect(discovered.problems["discovery.docker.d"] == "connection refused")
  }
}

struct TargetFactsTests {
  @Test func `targets come back from the facts of a trace, however many there are`() {
    let many = (0..<3000).map { LabelSet(["__container_id__": "\($0)", "text": String(repeating: "ü\"", count: 20)]) }
    let targets = ["discovery.docker.d": many, "discovery.process.p": [LabelSet(["a": "b"])], "discovery.docker.none": []]
    let records = TargetFacts.records(targets)
    #expect(records.count > 2)
    #expect(records.allSatisfy { $0.value.utf8.count < 1 << 16 })
    let facts = Dictionary(records.map { ($0.name, $0.value) }) { first, _ in first }.merging(["start.time": "1"]) { first, _ in first }
    #expect(TargetFacts.targets(in: facts) == targets.filter { !$0.value.isEmpty })
  }

  @Test func `facts that are no targets are passed over`() {
    #expect(TargetFacts.targets(in: ["targets.": "[]", "targets.x.y": "[]", "targets.x.0": "no json", "targets.x.1": "[1,{\"a\":2}]"]) == ["x": [LabelSet()]])
  }
}
