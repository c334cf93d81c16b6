import Profile
import TestSupport
import Testing

/// `convert`, `inspect` and `upload` on a recording of a JVM.
struct JavaRecordingTests {
  private let recording = Fixture.path("jfr/jdk17.jfr")

  @Test func `metrics that differ in type are files of their own, and the message names them`() throws {
    let scratch = try ScratchDirectory()
    let outcome = try Command.run([Command.pyrorec, "convert", "-o", "app.pb.gz", recording], directory: scratch.path)
    #expect(outcome.status == 0, "\(outcome)")
    for name in ["app.pb.gz", "app.alloc_sample.pb.gz", "app.mutex.pb.gz", "app.block.pb.gz"] {
      #expect(outcome.messages.contains(name), "\(outcome)")
      let profile = try PprofDecoder.decode(try Fixture.bytes(scratch.path + "/" + name))
      #expect(profile.samples.count > 0)
    }
  }

  @Test func `one metric is asked for by its name, and a wrong name is told the right ones`() throws {
    let outcome = try Command.run([Command.pyrorec, "convert", "-f", "collapsed", "--metric", "mutex", recording])
    #expect(outcome.output.contains("Mix.enter 85\n"), "\(outcome)")
    let wrong = try Command.run([Command.pyrorec, "convert", "--metric", "heap", recording])
    #expect(wrong.status == 1, "\(wrong)")
    #expect(wrong.messages.contains("alloc_sample"), "\(wrong)")
  }

  @Test func `inspect shows chunks, events and totals`() throws {
    let outcome = try Command.run([Command.pyrorec, "inspect", recording])
    #expect(outcome.output.contains("jdk.ExecutionSample: 332\n"), "\(outcome)")
    #expect(outcome.output.contains("cpu (process_cpu): 3320000000 cpu_nanoseconds"), "\(outcome)")
  }

  @Test func `a recording is uploaded as one series a metric, its file's name the service`() throws {
    let scratch = try ScratchDirectory()
    let copy = try scratch.write(try Fixture.bytes(recording), to: "shop.jfr")
    let outcome = try Command.run([Command.pyrorec, "upload", "--url", "file://\(scratch.path)/sent", copy])
    #expect(outcome.status == 0, "\(outcome)")
    #expect(outcome.messages.contains("4 of 4 profiles sent"), "\(outcome)")
  }

  @Test func `a recording of garbage is no recording`() throws {
    let scratch = try ScratchDirectory()
    let path = try scratch.write(Array("FLR\0 and then nothing that makes sense".utf8), to: "broken.jfr")
    let outcome = try Command.run([Command.pyrorec, "convert", path])
    #expect(outcome.status == 65, "\(outcome)")
    #expect(outcome.messages.contains("broken.jfr"), "\(outcome)")
  }
}
