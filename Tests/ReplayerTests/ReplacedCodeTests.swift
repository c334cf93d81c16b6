import Base
import Profile
import Replayer
import Symbolize
import TestSupport
import Testing
import TraceFormat

/// Code made at run time that took the place of other code, in traces made by hand.
@Suite struct ReplacedCodeTests {
  private static let code: UInt64 = 0x7f00_0000_0000
  private typealias Names = (seconds: Double, symbols: [(address: UInt64, byteCount: UInt64, name: String)])

  /// Six samples of each stack, the first one at 1.00 s, every 10 ms one of each in turn.
  private func collapsed(_ names: [Names], _ stacks: [[UInt64]], workers: Int = 1) throws -> [String] {
    var builder = TraceBuilder()
    let process = builder.process()
    let space = builder.addressSpace(of: process)
    let image = builder.image("", kind: .anonymous)
    builder.map(image, into: space, at: Self.code, byteCount: 0x10000, offset: 0)
    let thread = builder.thread(of: process)
    let handles = stacks.map { builder.stack(in: space, $0) }
    for _ in 0..<6 { for handle in handles { builder.sample(thread, handle) } }
    builder.flush()
    for (seconds, symbols) in names {
      builder.add(
        .jitSymbols(
          JITSymbolsRecord(
            image: image, time: MonotonicInstant(nanoseconds: UInt64(seconds * 1e9)),
            symbols: symbols.map { .init(address: Self.code + $0.address, byteCount: $0.byteCount, name: $0.name) })))
    }
    let scratch = try ScratchDirectory()
    let path = scratch.path + "/trace.seg"
    try builder.write(to: path)
    var trace = try LoadedTrace(path: path, workers: workers)
    let stage = SymbolizeStage(symbolizer: Symbolizer(locator: ImageLocator()), workers: workers)
    var configuration = ReplayConfiguration()
    configuration.groupsByThreadName = true
    let replay = Replay(header: builder.header, contents: trace.takeContents(), configuration, symbolizingWith: stage)
    let text = String(decoding: CollapsedFormat.encode(replay.profile(), FormatOptions()), as: UTF8.self)
    return text.split(separator: "\n").map(String.init).sorted()
  }

  @Test(arguments: [1, 4]) func `a frame has the name of what was there when its sample was taken`(workers: Int) throws {
    let names: [Names] = [
      (0, [(0x100, 0x100, "first"), (0x400, 0x100, "outer")]), (1.03, [(0x180, 0x100, "second")]), (1.05, [(0x100, 0x100, "third")]),
    ]
    let found = try collapsed(names, [[Self.code + 0x410, Self.code + 0x190]], workers: workers)
    #expect(found == ["app;outer;first 3", "app;outer;second 2", "app;outer;third 1"])
    // What no other code lay over has one name all the time.
    #expect(try collapsed(names, [[Self.code + 0x410, Self.code + 0x210]], workers: workers) == ["app;outer;second 6"])
  }

  @Test func `a caller's place is the call, before the address it returns to`() throws {
    // The call is the last instruction of the function, and what was put behind it later is no caller.
    let names: [Names] = [(0, [(0x100, 0x100, "first"), (0x200, 0x100, "next")]), (1.02, [(0x200, 0x100, "other")])]
    #expect(try collapsed(names, [[Self.code + 0x200, Self.code + 0x110]]) == ["app;first;first 6"])
    #expect(try collapsed(names, [[Self.code + 0x201, Self.code + 0x110]]) == ["app;next;first 2", "app;other;first 4"])
  }

  @Test func `two replaced frames of one stack are each what they were`() throws {
    let names: [Names] = [
      (0, [(0x100, 0x100, "a"), (0x400, 0x100, "x")]), (1.02, [(0x100, 0x100, "b")]), (1.04, [(0x400, 0x100, "y")]),
    ]
    #expect(try collapsed(names, [[Self.code + 0x410, Self.code + 0x110]]) == ["app;x;a 2", "app;x;b 2", "app;y;b 2"])
  }

  @Test func `before the first name is known it counts, and equal names are one`() throws {
    let late: [Names] = [(1.02, [(0x100, 0x100, "a")]), (1.03, [(0x100, 0x100, "b")])]
    #expect(try collapsed(late, [[Self.code + 0x110]]) == ["app;a 3", "app;b 3"])
    let same: [Names] = [(0, [(0x100, 0x100, "a")]), (1.03, [(0x100, 0x80, "a")])]
    #expect(try collapsed(same, [[Self.code + 0x110]]) == ["app;a 6"])
  }

  @Test func `thousands of names over one another cost no more than the last of them`() throws {
    var names: [Names] = []
    for number in UInt64(0)..<2_000 { names.append((1 + Double(number) * 0.00001, [(0, 0x1000 + number, "f\(number)")])) }
    let found = try collapsed(names, [[Self.code + 0x10], [Self.code + 0xffff]])
    #expect(found.contains { $0.hasPrefix("app;f1999 ") })
    #expect(found.count < 8)
  }
}
