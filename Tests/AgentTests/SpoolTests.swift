import Base
import Glibc
import Profile
import TestSupport
import Testing
import Uploader

@testable import Agent

struct ProfileBatchTests {
  private let batch = Samples.batch([Samples.item("a", samples: 5), Samples.item("b\u{301}", time: -3)])

  @Test func `a batch reads as it was written`() throws {
    var read = try ProfileBatch(batch.encoded(), source: "window")
    #expect(read == batch)
    read = try ProfileBatch(ProfileBatch().encoded(), source: "window")
    #expect(read.items.isEmpty)
  }

  @Test func `a batch cut short or changed anywhere is refused`() {
    let bytes = batch.encoded()
    for count in 0..<bytes.count {
      #expect(throws: MalformedInput.self) { try ProfileBatch(Array(bytes[..<count]), source: "window") }
    }
    for place in stride(from: 0, to: bytes.count, by: 7) {
      var changed = bytes
      changed[place] ^= 0x41
      #expect(throws: MalformedInput.self) { try ProfileBatch(changed, source: "window") }
    }
  }
}

struct SpoolTests {
  @Test func `a spool belongs to one agent`() throws {
    let directory = try ScratchDirectory()
    let spool = try Spool(directory.path + "/a/b")
    #expect(throws: AgentError.self) { try Spool(directory.path + "/a/b") }
    withExtendedLifetime(spool) {}
  }

  @Test func `what an earlier agent left is found, what it had not finished writing is not`() throws {
    let directory = try ScratchDirectory()
    do {
      let spool = try Spool(directory.path)
      try spool.add(Samples.batch([Samples.item("a")]), of: spool.path + "/windows/00000000000000000002.seg")
    }
    try directory.write([1], to: "windows/00000000000000000001.seg.part")
    try directory.write([1], to: "windows/00000000000000000003.seg")
    // Its profiles were made, and then the agent was killed.
    try directory.write([1], to: "windows/00000000000000000002.seg")
    try directory.write([1], to: "profiles/00000000000000000009.pb.tmp")
    try directory.write([1], to: "profiles/00000000000000000000.pb.0123.upload")
    let spool = try Spool(directory.path)
    #expect(spool.batchNames() == ["00000000000000000002.pb"])
    #expect(spool.leftWindows().map { $0.split(separator: "/").last } == ["00000000000000000001.seg.part", "00000000000000000003.seg"])
    #expect(DirectoryListing.names(in: directory.path + "/profiles") == ["00000000000000000002.pb"])
  }

  @Test func `a window goes when its profiles are there, and they go with all that is noted of them`() throws {
    let directory = try ScratchDirectory()
    let spool = try Spool(directory.path)
    let window = spool.windowPath(5)
    #expect(window != spool.windowPath(5))
    try directory.write([1], to: "windows/00000000000000000005.seg")
    try spool.add(Samples.batch([Samples.item("a")]), of: window)
    #expect(spool.leftWindows().isEmpty)
    try directory.write([1], to: "profiles/00000000000000000005.pb.0123.upload")
    spool.removeBatch("00000000000000000005.pb")
    #expect(DirectoryListing.names(in: directory.path + "/profiles").isEmpty)
  }

  @Test func `above its size the oldest go, and above their age all that are older`() {
    func entry(_ number: Int64, _ byteCount: UInt64, _ suffix: String = ".pb") -> SpoolEntry {
      SpoolEntry(name: "\(number)\(suffix)", isWindow: false, beginNanoseconds: number * 1000, byteCount: byteCount)
    }
    let entries = [entry(1, 100), entry(1, 1, ".pb.k.upload"), entry(2, 100), entry(3, 100)]
    func dropped(_ bytes: UInt64, _ age: UInt64) -> [String] {
      SpoolLimits(byteCount: bytes, ageNanoseconds: age).excess(entries, now: 4000).map(\.name)
    }
    #expect(dropped(301, .max) == [])
    #expect(dropped(300, .max) == ["1.pb"])
    #expect(dropped(200, .max) == ["1.pb", "2.pb"])
    #expect(dropped(0, .max) == ["1.pb", "2.pb", "3.pb"])
    #expect(dropped(1000, 2000) == ["1.pb"])
    // A clock that was set back makes nothing old.
    #expect(SpoolLimits(byteCount: 1000, ageNanoseconds: 1).excess(entries, now: 0).isEmpty)
  }
}
