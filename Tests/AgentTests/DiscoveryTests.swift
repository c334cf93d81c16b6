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

  @Test func `a source that is followed is asked at every refresh, and what it told before its last change stays known`() throws {
    let configuration = try Reading.configuration(text)
    let discovered = DiscoveredTargets()
    func refresh(_ second: UInt64, _ ids: [String]) -> UInt64 {
      discovered.refresh(configuration, now: second * 1_000_000_000) { component, _ in
        guard component.id == "discovery.docker.d" else { return Discovered(targets: []) }
        return Discovered(targets: ids.map { LabelSet(["__container_id__": $0]) }, isFollowed: true)
      } / 1_000_000_000
    }
    #expect(refresh(100, []) == 105)
    _ = refresh(101, ["1"])
    #expect(discovered.current["discovery.docker.d"]?.count == 1)
    _ = refresh(102, ["2"])
    for second: UInt64 in 103...105 { _ = refresh(second, ["2"]) }
    #expect(discovered.all["discovery.docker.d"]?.map { $0["__container_id__"] } == ["1", "2"])
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

struct RecordedDiscoveryTests {
  private let configuration = """
    discovery.docker "d" {
      host = "unix:///docker.sock"
      refresh_interval = "10s"
    }
    """

  private func targets(_ records: [TraceRecord]) -> [String] {
    records.flatMap { record -> [String] in
      guard case .targets(let more) = record else { return ["another record"] }
      return more.targets.map { "\(more.component) \($0.map { "\($0.name)=\($0.value)" }.joined(separator: ","))" }
    }
  }

  @Test func `a segment has what was known when it began and what came later, each once`() throws {
    let configuration = try Reading.configuration(configuration)
    let discovered = DiscoveredTargets()
    let recorded = RecordedDiscovery(discovered)
    func refresh(_ seconds: UInt64, _ found: [String]) {
      _ = discovered.refresh(configuration, now: seconds * 1_000_000_000) { _, _ in
        Discovered(targets: found.map { LabelSet(["__container_id__": $0]) })
      }
    }
    #expect(recorded.begin(time: 1).isEmpty)
    refresh(10, ["1"])
    #expect(targets(recorded.take(time: 2, isLast: true)) == ["discovery.docker.d __container_id__=1"])
    #expect(recorded.take(time: 3, isLast: false).isEmpty)
    refresh(20, ["1", "2"])
    #expect(targets(recorded.take(time: 4, isLast: true)) == ["discovery.docker.d __container_id__=2"])
    // A container that has just gone has samples in the next window too.
    refresh(30, ["1"])
    #expect(
      targets(recorded.begin(time: 5)) == ["discovery.docker.d __container_id__=2", "discovery.docker.d __container_id__=1"])
  }

  @Test func `a segment holds no more than its share of them`() throws {
    let discovered = DiscoveredTargets()
    let value = String(repeating: "v", count: 60_000)
    _ = discovered.refresh(try Reading.configuration(configuration), now: 1) { _, _ in
      Discovered(targets: (0..<1000).map { LabelSet(["__container_id__": "\($0)", "text": value]) })
    }
    #expect(targets(RecordedDiscovery(discovered).begin(time: 1)).count == RecordedDiscovery.maximumBytes / value.utf8.count + 1)
  }
}
