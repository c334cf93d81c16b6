import Base
import Glibc
import TestSupport
import Testing

extension KernelTests {
  @Test func `an agent delivers all that it recorded, each window once, and the last one when it ends`() throws {
    let scratch = try ScratchDirectory()
    let receiver = PushReceiver {
      var time = timespec()
      clock_gettime(CLOCK_REALTIME, &time)
      return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
    // The first request is lost on the way back: it comes again and is known.
    let server = try LoopbackServer { request, number in
      let answer = receiver.answer(request)
      return number == 0 ? .close : answer
    }
    try scratch.write(
      Array(
        """
        pyroscope.write "w" {
          endpoint { url = "\(server.url)" }
        }
        pyroscope.ebpf "e" {
          targets          = []
          targets_only     = false
          forward_to       = [pyroscope.write.w.receiver]
          collect_interval = "1s"
          sample_rate      = 100
        }
        """.utf8), to: "agent.alloy")
    var running = try RunningCommand([
      Command.pyrorec, "run", "--verbose", "--drain", "60s", "--server.http.listen-addr", "none", "--spool", scratch.path + "/spool",
      scratch.path + "/agent.alloy",
    ])
    while !(try running.messagesSoFar()).contains("window ") { usleep(10_000) }
    running.send(SIGTERM)
    let outcome = try running.finish(limit: .seconds(120))
    #expect(outcome.status == 0, "\(outcome)")
    let windows = outcome.messages.split(separator: "\n").filter { $0.contains(" window ") }
    let recorded = windows.compactMap { line in line.split(separator: " ").dropFirst(3).first.flatMap { Int64($0) } }.reduce(0, +)
    #expect(windows.count >= 2 && recorded > 0, "\(outcome)")
    #expect(receiver.total == recorded * 10_000_000, "\(outcome)")
    #expect(receiver.refusals.allSatisfy { $0.contains("is there") })
    #expect(receiver.accepted.allSatisfy { $0.labels.contains { $0.name == "service_name" && $0.value == "ebpf/unspecified" } })
  }
}
