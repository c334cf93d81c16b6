import TestSupport
import Testing
import TraceFormat

/// What `inspect` says of interpreters.
struct InterpreterSummaryTests {
  private let scratch: ScratchDirectory
  private let path: String

  /// Two frames of Python with a name, one whose code was gone, and samples whose frames could not be followed.
  init() throws {
    scratch = try ScratchDirectory()
    path = scratch.path + "/python.seg"
    var builder = TraceBuilder()
    let process = builder.process()
    let thread = builder.thread(of: process)
    let space = builder.addressSpace(of: process)
    let python = StackNode.Space.firstInterpreter
    builder.add(
      .code(
        CodeRecord(
          handle: CodeHandle(1), interpreter: python, lineFormat: 0, runtime: "CPython 3.9", name: "main", file: "main.py",
          firstLine: 1, lines: [])))
    builder.sample(thread, builder.stack(in: space, frames: [(python, 1, 1), (python, 1, 2), (python, 0, 64)]))
    // The interpreter's own frames, and why they are there.
    builder.sample(thread, builder.stack(in: space, frames: [(.user, 0x1000, 0), (python, 0, 1)]), count: 3)
    builder.add(
      .sessionFact(
        SessionFactRecord(
          name: "interpreters.refused", value: "/usr/bin/a (3.2): unknown_version\n/usr/bin/b (4.0): unknown_version")))
    builder.flush()
    try builder.write(to: path)
  }

  @Test func `inspect counts interpreters' frames by version, those that are missing by reason, and names what was not recognised`() throws
  {
    let text = try Command.run([Command.pyrorec, "inspect", path])
    let lines = text.output.split(separator: "\n").map { $0.split(separator: " ").joined(separator: " ") }
    for line in [
      "interpreter CPython 3.9: 2 frames of 1 pieces of code", "missing code_gone: 1", "missing no_thread_state: 3",
      "not read /usr/bin/a (3.2): unknown_version", "not read /usr/bin/b (4.0): unknown_version",
    ] { #expect(lines.contains(line), "\(text)") }
    let json = try Command.run([Command.pyrorec, "inspect", path, "--format", "json"])
    let squeezed = json.output.filter { !$0.isWhitespace }
    let expected = """
      "interpreters":{"runtimes":[{"runtime":"CPython3.9","codes":1,"frames":2}],\
      "failures":{"code_gone":1,"no_thread_state":3}}
      """
    #expect(squeezed.contains(expected), "\(json)")
  }

  @Test func `the report that convert makes says the same`() throws {
    let report = "\(scratch.path)/report.json"
    let outcome = try Command.run([Command.pyrorec, "convert", path, "-f", "json", "-o", report])
    #expect(outcome.status == 0, "\(outcome)")
    let text = String(decoding: try Fixture.bytes(report), as: UTF8.self).filter { !$0.isWhitespace }
    #expect(text.contains(#""failures":{"code_gone":1,"no_thread_state":3}"#), "\(text)")
  }
}
