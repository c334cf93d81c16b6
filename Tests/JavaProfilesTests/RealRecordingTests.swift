import Base
import JFR
import JavaProfiles
import Profile
import TestSupport
import Testing

/// Recordings that JDK 17 and JDK 25 made of `fixtures/jfr/Mix.java`, with totals and stacks as the JDK's own `jfr print`
/// shows them (`scripts/compare-jfr`).
struct RealRecordingTests {
  private static let files = ["jdk17", "jdk17-tlab", "jdk25"]

  /// Every profile as collapsed stacks, one after the other.
  private static func text(_ bytes: [UInt8]) throws -> String {
    var options = JavaOptions()
    options.groupsByThreadName = true
    var recording = JavaRecording(options)
    try recording.read(bytes.span.bytes)
    var text = ""
    for profile in recording.profiles() {
      text += "# \(profile.metric.name) \(profile.seriesName) period \(profile.profile.period)\n"
      text += String(decoding: CollapsedFormat.encode(profile.profile, FormatOptions()), as: UTF8.self)
    }
    return text
  }

  @Test(arguments: files) func `a real recording gives the golden stacks`(name: String) throws {
    let text = try Self.text(try Fixture.bytes(Fixture.path("jfr/\(name).jfr")))
    let path = Fixture.path("jfr/\(name).golden.txt")
    if Command.environmentValue("PYROREC_RECORD_GOLDENS") != nil {
      let file = try OwnedDescriptor(open: path, 0o1101, mode: 0o644)
      try file.write(Array(text.utf8).span.bytes, path: path)
    }
    #expect(text == String(decoding: try Fixture.bytes(path), as: UTF8.self))
  }

  @Test func `files put together give the sum of both`() throws {
    let one = try Fixture.bytes(Fixture.path("jfr/jdk17.jfr"))
    var recording = JavaRecording(JavaOptions())
    let both = one + (try Fixture.bytes(Fixture.path("jfr/jdk25.jfr")))
    try recording.read(both.span.bytes)
    #expect(recording.summary.chunks == 2)
    #expect(recording.summary.events["jdk.JavaMonitorEnter"] == 170 + 171)
  }

  @Test func `a recording cut at any length or with any byte changed never stops the program`() throws {
    let bytes = try Fixture.bytes(Fixture.path("jfr/jdk17-tlab.jfr"))
    var readable = 0
    for length in stride(from: 0, to: bytes.count, by: 997) { if Self.survives(Array(bytes.prefix(length))) { readable += 1 } }
    var builder = JFRBuilder()
    builder.setting(JFRBuilder.TypeID.execution, "interval", "3000000")
    builder.execution(stack: builder.stack([("a/B", "leaf", 7, 1), ("a/B", "main", 3, 1)]), state: 1)
    builder.malloc(stack: 1, address: 5, size: 6, ticks: 7)
    let small = builder.chunk()
    for length in 0...small.count { if Self.survives(Array(small.prefix(length))) { readable += 1 } }
    for offset in small.indices {
      for value: UInt8 in [0x00, 0x7f, 0x80, 0xff, small[offset] ^ 1] {
        var changed = small
        changed[offset] = value
        if Self.survives(changed) { readable += 1 }
      }
    }
    // Both outcomes were met.
    #expect(readable > small.count)
    #expect(readable < small.count * 6)
  }

  /// - Returns: whether anything could be read.
  private static func survives(_ bytes: [UInt8]) -> Bool {
    var recording = JavaRecording(JavaOptions())
    do { try recording.read(bytes.span.bytes) } catch { return false }
    for profile in recording.profiles() { _ = PprofFormat.message(profile.profile) }
    return true
  }
}
