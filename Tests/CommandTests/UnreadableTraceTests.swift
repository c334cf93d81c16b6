import Base
import TestSupport
import Testing
import TraceFormat

/// Files that are no trace: status 65 and a message that names the file.
@Suite struct UnreadableTraceTests {
  /// Commands that read a trace, with what else they need.
  static let readers: [[String]] = [
    ["symbolize"], ["label", "--label", "env=test"], ["convert", "-o", "out"], ["inspect"], ["verify"], ["extract", "-o", "out"],
    ["upload", "--url", "http://127.0.0.1:9"],
  ]

  private func run(_ reader: [String], on file: String, in scratch: ScratchDirectory) throws -> CommandOutcome {
    try Command.run(
      [Command.pyrorec, reader[0], file] + reader.dropFirst(), directory: scratch.path, limit: .seconds(20))
  }

  @Test(arguments: readers) func `an empty file is no trace`(reader: [String]) throws {
    let scratch = try ScratchDirectory()
    try scratch.write([], to: "empty.seg")
    let outcome = try run(reader, on: "empty.seg", in: scratch)
    #expect(outcome.status == 65, "\(outcome)")
    #expect(outcome.messages.contains("empty.seg"), "\(outcome)")
  }

  @Test(arguments: readers) func `text is no trace`(reader: [String]) throws {
    let scratch = try ScratchDirectory()
    try scratch.write(Array("This is a letter and not a recording.\n".utf8), to: "letter.seg")
    let outcome = try run(reader, on: "letter.seg", in: scratch)
    #expect(outcome.status == 65, "\(outcome)")
    #expect(outcome.messages.contains("letter.seg"), "\(outcome)")
  }

  @Test(arguments: readers) func `an ordinary LZ4 file is no trace`(reader: [String]) throws {
    let scratch = try ScratchDirectory()
    let bytes: [UInt8] = [
      0x04, 0x22, 0x4d, 0x18,  // magic of an LZ4 frame
      0x60, 0x40, 0x82,  // version 1, independent blocks; 64 KiB blocks; header checksum
      0x02, 0x00, 0x00, 0x80,  // an uncompressed block of 2 bytes
      0x68, 0x69,  // "hi"
      0x00, 0x00, 0x00, 0x00,  // end mark
    ]
    try scratch.write(bytes, to: "hi.lz4")
    let outcome = try run(reader, on: "hi.lz4", in: scratch)
    #expect(outcome.status == 65, "\(outcome)")
    #expect(outcome.messages.contains("hi.lz4"), "\(outcome)")
  }

  @Test(arguments: readers) func `a newer major version is refused with both numbers`(reader: [String]) throws {
    let scratch = try ScratchDirectory()
    var header = SampleRecords.header
    header.version = FormatVersion(major: FormatVersion.current.major + 41, minor: 7)
    try SegmentWriter(path: "\(scratch.path)/newer.seg", header: header).close()
    let outcome = try run(reader, on: "newer.seg", in: scratch)
    #expect(outcome.status == 65, "\(outcome)")
    let named = ["newer.seg", "\(header.version.major)", "\(FormatVersion.current.major)"].filter { outcome.messages.contains($0) }
    #expect(named.count == 3, "\(outcome)")
  }

  @Test(arguments: readers) func `a directory is no trace`(reader: [String]) throws {
    let scratch = try ScratchDirectory()
    let outcome = try run(reader, on: "/", in: scratch)
    #expect([1, 65].contains(outcome.status), "\(outcome)")
    #expect(outcome.messages.contains("/"), "\(outcome)")
  }

  @Test(arguments: readers) func `a file that is not there is named`(reader: [String]) throws {
    let scratch = try ScratchDirectory()
    let outcome = try run(reader, on: "absent.seg", in: scratch)
    #expect([1, 65].contains(outcome.status), "\(outcome)")
    #expect(outcome.messages.contains("absent.seg"), "\(outcome)")
    #expect(outcome.output.isEmpty, "\(outcome)")
  }

  @Test func `an upload of a trace whose every frame is damaged says why nothing is sent`() throws {
    let scratch = try ScratchDirectory()
    var bytes = try Fixture.bytes(Fixture.path("traces/chain.seg"))
    // Behind the first frame, the header, whose length stands in its bytes 4 to 7 (LZ4 frame format, "Skippable Frames").
    let header = 8 + (0..<4).reduce(0) { $0 | Int(bytes[4 + $1]) << (8 * $1) }
    for index in header..<bytes.count { bytes[index] = 0x55 }
    let path = try scratch.write(bytes, to: "damaged.seg")
    let sent = "\(scratch.path)/sent"
    let outcome = try Command.pyrorec("upload", path, "--url", "file://\(sent)")
    #expect(outcome.status == 65, "\(outcome)")
    #expect(outcome.messages.contains("damaged.seg: nothing to send: no sample of it can be read"), "\(outcome)")
    #expect(DirectoryListing.names(in: sent).isEmpty)
  }

  @Test func `an upload of a trace without samples says so and is done`() throws {
    let scratch = try ScratchDirectory()
    try SegmentWriter(path: "\(scratch.path)/idle.seg", header: SampleRecords.header).close()
    let outcome = try Command.pyrorec("upload", "\(scratch.path)/idle.seg", "--url", "file://\(scratch.path)/sent")
    #expect(outcome.status == 0, "\(outcome)")
    #expect(outcome.messages.contains("idle.seg: nothing to send: no sample was recorded"), "\(outcome)")
  }

  @Test(arguments: ["symbolize", "convert", "inspect", "verify", "upload"])
  func `without a file name it is trace.seg of the current directory`(command: String) throws {
    let scratch = try ScratchDirectory()
    let outcome = try Command.run([Command.pyrorec, command], directory: scratch.path)
    #expect([1, 65].contains(outcome.status), "\(outcome)")
    #expect(outcome.messages.contains("trace.seg"), "\(outcome)")
  }
}
