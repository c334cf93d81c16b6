import TestSupport
import Testing

@Suite struct CheckTests {
  private func write(_ text: String, to scratch: ScratchDirectory) throws -> String {
    let path = scratch.path + "/test.alloy"
    _ = try Command.run(["/bin/sh", "-c", "cat > \"$1\" <<'END'\n\(text)\nEND", "sh", path], directory: scratch.path)
    return path
  }

  @Test(arguments: ["kubernetes.alloy", "docker.alloy", "java.alloy"]) func `a documented example passes`(name: String) throws {
    let scratch = try ScratchDirectory()
    let outcome = try Command.run([Command.pyrorec, "check", Fixture.path("alloy/\(name)")], directory: scratch.path)
    #expect(outcome.status == 0 && outcome.output.contains("4 components, no errors"), "\(outcome)")
  }

  @Test func `errors are status 64 and all of them are shown`() throws {
    let scratch = try ScratchDirectory()
    let path = try write("discovery.process \"a\" {\n  nope = 1\n  join = 2\n}", to: scratch)
    let outcome = try Command.run([Command.pyrorec, "check", path], directory: scratch.path)
    #expect(outcome.status == 64 && outcome.output.isEmpty, "\(outcome)")
    #expect(
      outcome.messages.contains(":2:3: unrecognized attribute name \"nope\"") && outcome.messages.contains(":3:10: 2 should be array"),
      "\(outcome)")
  }

  @Test func `a static target shows its labels`() throws {
    let scratch = try ScratchDirectory()
    let path = try write(
      """
      pyroscope.write "w" {
        endpoint { url = "http://user:hidden@h:4040" }
      }
      pyroscope.ebpf "e" {
        targets    = [{"__process_pid__" = "1", "service_name" = "init"}, {"__process_pid__" = "4294967295"}, {"a" = "b"}]
        forward_to = [pyroscope.write.w.receiver]
      }
      """, to: scratch)
    let outcome = try Command.run([Command.pyrorec, "check", path], directory: scratch.path)
    #expect(outcome.status == 0 && outcome.output.contains("1 of 3 targets would be profiled"), "\(outcome)")
    #expect(outcome.output.contains("process 1: profiled\n    {service_name=\"init\"}"), "\(outcome)")
    #expect(outcome.output.contains("process 4294967295: not profiled, nothing of it runs here now"), "\(outcome)")
    #expect(outcome.output.contains("not profiled, it names neither a process nor a container"), "\(outcome)")
    #expect(!outcome.output.contains("hidden"), "\(outcome)")
  }
}
