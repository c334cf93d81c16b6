import Base
import Glibc
import TestSupport
import Testing

extension KernelTests {
  @Test func `the lz4 tool takes a trace as it is`() throws {
    let recording = try Recording(of: [FixtureProgram.path("chain"), "1"])
    let tested = try Command.run(["lz4", "-q", "-t", recording.trace])
    #expect(tested.status == 0, "\(tested)")
    let records = try Command.run(["lz4", "-dc", recording.trace])
    #expect(records.status == 0 && !records.standardOutput.isEmpty, "\(records.messages)")
    let inspected = try Command.pyrorec("inspect", recording.trace)
    #expect(inspected.output.contains("\(records.standardOutput.count)"), "\(records.standardOutput.count): \(inspected)")
  }

  @Test func `the ELF copies of a trace are files that readelf accepts`() throws {
    let recording = try Recording(of: [FixtureProgram.path("dlopen_deleted"), "1"], symbolize: false)
    let directory = "\(recording.scratch.path)/images"
    let extracted = try Command.pyrorec("extract", recording.trace, "-o", directory)
    try #require(extracted.status == 0, "\(extracted)")
    let read = try Command.run(
      ["sh", "-c", "find '\(directory)' -type f -exec readelf --wide --symbols {} + 2>&1 | grep -E 'library_hot|Error|Warning'"])
    #expect(read.output.contains("library_hot") && !read.output.contains("Error"), "\(read)")
    let named = try Command.run(["find", "\(directory)/.build-id", "-name", "*.debug"])
    #expect(named.output.contains("/.build-id/"), "\(named)")
  }

  @Test func `a conversion is the same when the program is gone, and every time`() throws {
    let scratch = try ScratchDirectory()
    let program = "\(scratch.path)/goner"
    try #require(try Command.run(["cp", FixtureProgram.path("chain"), program]).status == 0)
    let recording = try Recording(of: [program, "1"])
    func profile() throws -> [UInt8] {
      let file = "\(scratch.path)/profile.pb.gz"
      let converted = try Command.pyrorec("convert", recording.trace, "-f", "pprof", "-o", file)
      try #require(converted.status == 0, "\(converted)")
      return try contents(of: file, limit: 1 << 24)
    }
    let before = try profile()
    #expect(before.starts(with: [0x1f, 0x8b]), "gzip")
    unlink(program)
    for _ in 0..<5 { #expect(try profile() == before) }
  }

  @Test func `a broken pipe ends a conversion without a word`() throws {
    let recording = try Recording(of: [FixtureProgram.path("chain_threads"), "1"])
    let outcome = try Command.run([
      "sh", "-c", "'\(Command.pyrorec)' convert '\(recording.trace)' -f collapsed -o - | head -c 1 >/dev/null",
    ])
    #expect(outcome.status == 0 && outcome.messages.isEmpty, "\(outcome)")
  }

  @Test func `a directory takes profiles and their labels without a server`() throws {
    let recording = try Recording(of: [FixtureProgram.path("chain"), "1"])
    let destination = "\(recording.scratch.path)/profiles"
    mkdir(destination, 0o700)
    let uploaded = try Command.pyrorec("upload", recording.trace, "--url", "file://\(destination)")
    #expect(uploaded.status == 0, "\(uploaded)")
    let listed = try Command.run(["ls", destination])
    let files = listed.output.split(separator: "\n")
    #expect(files.contains { $0.hasSuffix(".pb.gz") } && files.contains { $0.hasSuffix(".json") }, "\(listed)")
  }

  @Test func `a server that is not there is status 69 and the trace stays`() throws {
    let recording = try Recording(of: [FixtureProgram.path("chain"), "0.3"])
    // Port 9, discard: nothing listens there.
    let uploaded = try Command.pyrorec("upload", recording.trace, "--url", "http://127.0.0.1:9", limit: .seconds(120))
    #expect(uploaded.status == 69, "\(uploaded)")
    #expect(uploaded.messages.contains("127.0.0.1:9"), "\(uploaded)")
    #expect(try Command.pyrorec("verify", recording.trace).status == 0)
  }
}
