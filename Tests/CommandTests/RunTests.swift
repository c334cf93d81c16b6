import TestSupport
import Testing

@Suite struct RunTests {
  private func write(_ text: String) throws -> ScratchDirectory {
    let scratch = try ScratchDirectory()
    try scratch.write(Array(text.utf8), to: "test.alloy")
    return scratch
  }

  private func run(_ scratch: ScratchDirectory, _ arguments: String...) throws -> CommandOutcome {
    try Command.run(
      [Command.pyrorec, "run", "--server.http.listen-addr", "none", "--spool", scratch.path + "/spool"] + arguments + [
        scratch.path + "/test.alloy"
      ], directory: scratch.path, limit: .seconds(30))
  }

  @Test func `a wrong configuration is status 64, with its errors, and nothing is made`() throws {
    let scratch = try write("pyroscope.write \"w\" {\n  endpoint { }\n}")
    let outcome = try run(scratch)
    #expect(outcome.status == 64 && outcome.messages.contains(":2:3: missing required attribute \"url\""), "\(outcome)")
    let left = try Command.run(["ls", scratch.path])
    #expect(left.output == "test.alloy\n")
  }

  @Test func `a spool that cannot be made and one in use are status 1`() throws {
    let scratch = try write("")
    try scratch.write([], to: "spool")
    let outcome = try run(scratch)
    #expect(outcome.status == 1 && outcome.messages.contains("spool") && outcome.messages.contains("--spool"), "\(outcome)")
  }

  @Test func `a configuration with nothing to record runs until it is told to end`() throws {
    let scratch = try write(
      """
      discovery.process "all" { }
      pyroscope.write "w" {
        endpoint { url = "http://127.0.0.1:9" }
      }
      """)
    var running = try RunningCommand([
      Command.pyrorec, "run", "--server.http.listen-addr", "127.0.0.1:0", "--spool", scratch.path + "/spool",
      scratch.path + "/test.alloy",
    ])
    while !(try running.messagesSoFar()).contains("nothing is to be recorded") {}
    // Another one may not use the same spool meanwhile.
    let other = try run(scratch)
    #expect(other.status == 1 && other.messages.contains("another agent uses this spool"), "\(other)")
    running.send(15)
    let outcome = try running.finish(limit: .seconds(30))
    #expect(outcome.status == 0 && !outcome.timedOut, "\(outcome)")
  }

  @Test func `the files of a directory are one configuration, and errors name their file`() throws {
    let scratch = try ScratchDirectory()
    _ = try Command.run(["mkdir", scratch.path + "/conf"])
    try scratch.write(
      Array("pyroscope.ebpf \"e\" {\n  targets = []\n  forward_to = [pyroscope.write.w.receiver]\n}\n".utf8), to: "conf/a.alloy")
    try scratch.write(Array("pyroscope.write \"w\" {\n  endpoint { url = \"http://h\" }\n}".utf8), to: "conf/b.alloy")
    try scratch.write(Array("no configuration".utf8), to: "conf/notes.txt")
    let outcome = try Command.run([Command.pyrorec, "check", scratch.path + "/conf"], directory: scratch.path)
    #expect(outcome.status == 0 && outcome.output.contains("2 components, no errors"), "\(outcome)")
    try scratch.write(Array("pyroscope.write \"w\" {\n  nope = 1\n}\n}".utf8), to: "conf/c.alloy")
    let wrong = try Command.run([Command.pyrorec, "check", scratch.path + "/conf"], directory: scratch.path)
    #expect(wrong.status == 64 && wrong.messages.contains("conf/c.alloy:4:1: "), "\(wrong)")
    try scratch.write(Array("pyroscope.write \"w\" {\n  nope = 1\n}\n".utf8), to: "conf/c.alloy")
    let twice = try Command.run([Command.pyrorec, "check", scratch.path + "/conf"], directory: scratch.path)
    #expect(
      twice.status == 64
        && twice.messages.contains("conf/c.alloy:1:1: block pyroscope.write.w already declared at \(scratch.path)/conf/b.alloy:1:1"),
      "\(twice)")
  }
}
