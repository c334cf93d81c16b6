import Base
import Synchronization
import Testing
import TraceFormat

@testable import Recorder

/// Records kept in memory instead of a file.
final class MemorySink: RecordSink {
  private let kept = Mutex<[TraceRecord]>([])
  func append(_ record: TraceRecord) throws(TraceError) { kept.withLock { $0.append(record) } }
  func flush() throws(TraceError) {}
  var records: [TraceRecord] { kept.withLock { $0 } }
}

final class FakeFiles: ProcessFileSystem {
  var texts: [String: String] = [:]
  var links: [String: String] = [:]
  var running: [UInt32] = []

  func read(_ name: String, limit: Int) throws(SystemCallError) -> [UInt8] {
    guard let text = texts[name] else { throw SystemCallError(call: "read", path: name, code: 2) }
    return Array(text.utf8)
  }
  func link(_ name: String) throws(SystemCallError) -> String {
    guard let target = links[name] else { throw SystemCallError(call: "readlink", path: name, code: 2) }
    return target
  }
  func processes() -> [UInt32] { running }

  /// A process that `/proc` shows; it began `ticks` hundredths of a second after the boot.
  func add(_ pid: UInt32, comm: String, ticks: UInt64, maps: String = "", executable: String? = nil) {
    // Fields 3 (state) to 22 (starttime) of proc(5).
    texts["\(pid)/stat"] = "\(pid) (\(comm)) S 1 1 1 0 -1 4194304 0 0 0 0 0 0 0 0 20 0 1 0 \(ticks) 0 0"
    texts["\(pid)/maps"] = maps
    texts["\(pid)/cmdline"] = "\(executable ?? comm)\0--flag\0"
    links["\(pid)/exe"] = executable ?? "/bin/\(comm)"
    running = (running + [pid]).sorted()
  }
}

final class NoImages: ImageOpener {
  func open(process: UInt32, start: UInt64, end: UInt64, path: String, inode: UInt64) -> Int32? { nil }
}

final class CopyRequests: ImageCopying {
  var paths: [String] = []
  func copy(_ request: ImageRequest) { paths.append(request.record.path) }
  func lookUp(kernelAddresses: [UInt64]) {}
}

struct RecordingCoreTests {
  let files = FakeFiles()
  let sink = MemorySink()
  let copier = CopyRequests()
  let core: RecordingCore

  init() { core = RecordingCore(files: files, opener: NoImages(), sink: sink, copier: copier) }

  /// A `struct pyrorec_sample` after its length.
  private func sample(
    pid: UInt32, tid: UInt32? = nil, time: UInt64, start: UInt64, user: [UInt64] = [], kernel: [UInt64] = [], cpu: UInt32 = 0
  ) -> [UInt8] {
    var body = ByteWriter()
    body.write(UInt16(1))  // kind
    body.write(UInt8(1))  // result: frame pointers
    body.write(UInt8(0))  // extra_kind
    body.write(UInt16(user.count))
    body.write(UInt16(kernel.count))
    body.write(UInt32(0))  // extra_words
    body.write(cpu)
    body.write(pid)
    body.write(tid ?? pid)
    body.write(UInt32(0))  // event
    body.write(UInt32(0))  // reserved
    body.write(time)
    body.write(start)
    body.write(UInt64(1))  // weight
    body.write(UInt64(0))  // reserved2
    for word in user + kernel { body.write(word) }
    var all = ByteWriter()
    all.write(UInt32(body.count))
    all.append(body.bytes)
    return all.bytes
  }

  private func batch(_ time: UInt64, samples: [[UInt8]] = [], sideband: [[UInt8]] = []) -> KernelBatch {
    var batch = KernelBatch(time: time)
    batch.samples = samples.flatMap { $0 }
    batch.sideband = sideband.flatMap { $0 }
    return batch
  }

  private var processes: [ProcessRecord] {
    sink.records.compactMap { if case .process(let record) = $0 { record } else { nil } }
  }
  private var spaces: [AddressSpaceRecord] {
    sink.records.compactMap { if case .addressSpace(let record) = $0 { record } else { nil } }
  }
  private var mappings: [MappingRecord] {
    sink.records.compactMap { if case .mapping(let record) = $0 { record } else { nil } }
  }
  private var samples: [Sample] {
    sink.records.flatMap { record -> [Sample] in if case .samples(let batch) = record { batch.samples } else { [] } }
  }
  private var threads: [ThreadHandle: ThreadRecord] {
    var found: [ThreadHandle: ThreadRecord] = [:]
    for case .thread(let record) in sink.records { found[record.handle] = record }
    return found
  }

  @Test func `a process found running is written with what proc says once it is sampled`() throws {
    files.add(10, comm: "server", ticks: 500, maps: "400000-401000 r-xp 00001000 08:01 77 /srv/server\n")
    files.add(11, comm: "idle", ticks: 600)
    files.texts["10/cgroup"] = "0::/docker/" + String(repeating: "ab", count: 32)
    core.scan(only: nil, time: 1000)
    try core.process(batch(2000, samples: [sample(pid: 10, time: 1500, start: 5_001_234_567, user: [0x400100, 0x400200])]))
    try core.flush()
    #expect(processes.map(\.comm) == ["server"])
    let process = try #require(processes.first)
    #expect(process.identity == ProcessIdentity(pid: ProcessID(10), startNanoseconds: 5_001_234_567))
    #expect(process.commandLine == ["/bin/server", "--flag"].map { $0.replacing("/bin/", with: "") })
    #expect(process.containerID == String(repeating: "ab", count: 32))
    #expect(mappings.map(\.start) == [ProcessAddress(0x400000)])
    #expect(copier.paths == ["/srv/server"])
    #expect(samples.count == 1)
  }

  @Test func `each segment of a recording stands alone`() throws {
    files.add(10, comm: "server", ticks: 500, maps: "400000-401000 r-xp 00001000 08:01 77 /srv/server\n")
    core.hasManySegments = true
    core.scan(only: nil, time: 1000)
    try core.process(batch(2000, samples: [sample(pid: 10, time: 1500, start: 5_001_234_567, user: [0x400100, 0x400200])]))
    try core.flush()
    let second = MemorySink()
    let copies = CopyRequests()
    core.begin(sink: second, copier: copies)
    try core.process(batch(4000, samples: [sample(pid: 10, time: 3500, start: 5_001_234_567, user: [0x400100, 0x400200])]))
    try core.flush()
    // The same in both, numbered anew, but for the time.
    func shape(_ records: [TraceRecord]) -> [String] {
      records.map { record in
        switch record {
        case .process(let process): "process \(process.handle) \(process.comm)"
        case .thread(let thread): "thread \(thread.handle) \(thread.comm)"
        case .addressSpace(let space): "space \(space.handle)"
        case .image(let image): "image \(image.handle) \(image.path)"
        case .mapping(let mapping): "mapping \(mapping.start) \(mapping.image)"
        case .stacks(let stacks): "stacks \(stacks.firstStack) \(stacks.stacks.count) \(stacks.nodes.count)"
        case .samples(let batch): "samples \(batch.samples.map(\.userStack))"
        default: "other"
        }
      }
    }
    #expect(shape(second.records) == shape(sink.records))
    #expect(copies.paths == ["/srv/server"])
    #expect(core.totals.samples == 2)
  }

  @Test func `a program that execs is two programs of one process`() throws {
    files.add(10, comm: "sh", ticks: 500, maps: "400000-401000 r-xp 00000000 08:01 77 /bin/sh\n")
    core.scan(only: nil, time: 1000)
    files.add(10, comm: "prog", ticks: 500, executable: "/bin/prog")
    try core.process(
      batch(
        5000,
        samples: [
          sample(pid: 10, time: 2000, start: 5_000_000_000, user: [0x400100]),
          sample(pid: 10, time: 4000, start: 5_000_000_000, user: [0x500100]),
        ],
        sideband: [
          SidebandParserTests.comm(pid: 10, name: "prog", isExec: true, time: 3000),
          SidebandParserTests.mapping(pid: 10, time: 3100, start: 0x500000, byteCount: 0x1000, inode: 78, path: "/bin/prog"),
        ]))
    try core.flush()
    #expect(processes.map(\.executable) == ["/bin/sh", "/bin/prog"])
    #expect(Set(processes.map(\.identity)).count == 1)
    #expect(samples.map { threads[$0.thread]?.process } == processes.map { Optional($0.handle) })
    #expect(mappings.map(\.addressSpace) == spaces.map(\.handle))
  }

  @Test func `a child that lives too short for proc has its parent's mappings`() throws {
    files.add(10, comm: "sh", ticks: 500, maps: "400000-401000 r-xp 00000000 08:01 77 /bin/sh\n")
    core.scan(only: nil, time: 1000)
    try core.process(
      batch(
        5000, samples: [sample(pid: 20, time: 3500, start: 9_000_000_000, user: [0x400100])],
        sideband: [SidebandParserTests.fork(pid: 20, parent: 10, time: 3000), SidebandParserTests.exit(pid: 20, time: 4000)]))
    try core.flush()
    let child = try #require(processes.first)
    #expect(child.identity.pid == ProcessID(20))
    #expect(child.parent == ProcessID(10))
    #expect(child.executable == "/bin/sh")
    #expect(mappings.count == 1)
  }

  @Test func `a number used again is another process`() throws {
    files.add(10, comm: "first", ticks: 500, maps: "400000-401000 r-xp 00000000 08:01 77 /bin/first\n")
    core.scan(only: nil, time: 1000)
    files.add(10, comm: "second", ticks: 900, maps: "400000-401000 r-xp 00000000 08:01 78 /bin/second\n")
    try core.process(
      batch(
        5000,
        samples: [
          sample(pid: 10, time: 2000, start: 5_000_000_000, user: [0x400100]),
          sample(pid: 10, time: 4000, start: 9_003_000_000, user: [0x400100]),
        ]))
    try core.flush()
    #expect(processes.map(\.comm) == ["first", "second"])
    #expect(Set(spaces.map(\.handle)).count == 2)
    #expect(Set(samples.map(\.userStack)).count == 2)
  }

  @Test func `a library in another's place gets an address space of its own`() throws {
    files.add(10, comm: "app", ticks: 500, maps: "400000-401000 r-xp 00000000 08:01 77 /bin/app\n")
    core.scan(only: nil, time: 1000)
    func load(_ time: UInt64, _ inode: UInt64, _ path: String) -> [UInt8] {
      SidebandParserTests.mapping(pid: 10, time: time, start: 0x700000, byteCount: 0x1000, inode: inode, path: path)
    }
    try core.process(
      batch(
        5000,
        samples: [
          sample(pid: 10, time: 2500, start: 5_000_000_000, user: [0x700100]),
          sample(pid: 10, time: 3500, start: 5_000_000_000, user: [0x700100]),
        ], sideband: [load(2000, 80, "/lib/one.so"), load(3000, 81, "/lib/two.so")]))
    try core.flush()
    #expect(spaces.map(\.origin) == [.scan, .remap])
    #expect(spaces.last?.inherits == spaces.first?.handle)
    #expect(Set(samples.map(\.userStack)).count == 2)
    #expect(copier.paths == ["/lib/one.so", "/lib/two.so"])
  }

  @Test func `a child whose fork waits for its turn is asked for its arguments all the same`() throws {
    files.add(10, comm: "sh", ticks: 500, maps: "400000-401000 r-xp 00000000 08:01 77 /bin/sh\n")
    core.scan(only: [10], time: 1000)
    files.add(20, comm: "prog", ticks: 600)
    // Both events are newer than the looks they came with.
    try core.process(batch(2000, sideband: [SidebandParserTests.fork(pid: 20, parent: 10, time: 2500)]))
    try core.process(batch(2600, sideband: [SidebandParserTests.comm(pid: 20, name: "prog", isExec: true, time: 2700)]))
    files.texts["20/stat"] = nil
    try core.process(batch(4000, samples: [sample(pid: 20, time: 3000, start: 6_000_000_000, user: [0x1])]))
    try core.flush()
    #expect(processes.map(\.commandLine) == [["prog", "--flag"]])
  }

  @Test func `a program is asked for its user and parent when it begins, and not for arguments once it is a zombie`() throws {
    files.add(10, comm: "sh", ticks: 500)
    core.scan(only: nil, time: 1000)
    files.texts["10/stat"] = nil
    files.texts["10/cmdline"] = ""
    files.texts["10/status"] = "Name:\tprog\nState:\tZ (zombie)\nPid:\t10\nPPid:\t7\nUid:\t1000\t0\t0\t0\n"
    try core.process(batch(2000, sideband: [SidebandParserTests.comm(pid: 10, name: "prog", isExec: true, time: 3000)]))
    #expect(!core.wantsAnotherLookSoon)
    try core.process(batch(5000, samples: [sample(pid: 10, time: 4000, start: 5_000_000_000, user: [0x500100])]))
    try core.flush()
    #expect(processes.map(\.comm) == ["prog"])
    #expect(processes.map(\.parent) == [ProcessID(7)])
    #expect(processes.map(\.userID) == [1000])
    #expect(processes.map(\.identity.startNanoseconds) == [5_000_000_000])
  }

  @Test func `looks at process events alone keep them for the samples before them`() throws {
    files.add(10, comm: "sh", ticks: 500, maps: "400000-401000 r-xp 00000000 08:01 77 /bin/sh\n")
    core.scan(only: nil, time: 1000)
    try core.process(batch(2000, samples: [sample(pid: 10, time: 1500, start: 5_000_000_000, user: [0x400100])]))
    files.add(10, comm: "prog", ticks: 500, executable: "/bin/prog")
    files.texts["10/cmdline"] = ""
    try core.process(batch(2000, sideband: [SidebandParserTests.comm(pid: 10, name: "prog", isExec: true, time: 3000)]))
    #expect(core.wantsAnotherLookSoon)
    files.texts["10/cmdline"] = "prog\0--late\0"
    try core.process(
      batch(
        2000,
        sideband: [
          SidebandParserTests.mapping(pid: 10, time: 3100, start: 0x500000, byteCount: 0x1000, inode: 78, path: "/bin/prog")
        ]))
    #expect(!core.wantsAnotherLookSoon)
    // Gone before its samples are read.
    files.texts = [:]
    files.links = [:]
    try core.process(
      batch(
        5000,
        samples: [
          sample(pid: 10, time: 2500, start: 5_000_000_000, user: [0x400200]),
          sample(pid: 10, time: 4000, start: 5_000_000_000, user: [0x500100]),
        ]))
    try core.flush()
    #expect(processes.map(\.commandLine) == [["sh", "--flag"], ["prog", "--late"]])
    #expect(samples.map { threads[$0.thread]?.process } == [processes[0], processes[0], processes[1]].map { Optional($0.handle) })
    #expect(mappings.map(\.start) == [ProcessAddress(0x400000), ProcessAddress(0x500000)])
  }

  @Test func `memory for code that grows in place stays in its address space`() throws {
    files.add(10, comm: "jit", ticks: 500, maps: "400000-401000 rwxp 00000000 00:00 0 \n")
    core.scan(only: nil, time: 1000)
    func grow(_ time: UInt64, _ byteCount: UInt64) -> [UInt8] {
      SidebandParserTests.mapping(pid: 10, time: time, start: 0x400000, byteCount: byteCount, offset: 0x400000, inode: 0, path: "//anon")
    }
    try core.process(
      batch(
        5000,
        samples: [
          sample(pid: 10, time: 2500, start: 5_000_000_000, user: [0x400100]),
          sample(pid: 10, time: 3500, start: 5_000_000_000, user: [0x400100]),
        ], sideband: [grow(2000, 0x2000), grow(3000, 0x4000)]))
    try core.flush()
    #expect(spaces.count == 1)
    #expect(Set(samples.map(\.userStack)).count == 1)
    #expect(mappings.map(\.byteCount).max() == 0x4000)
  }

  @Test func `a sample is never ahead of the events before it, whichever buffer was read first`() throws {
    files.add(10, comm: "app", ticks: 500, maps: "")
    core.scan(only: nil, time: 1000)
    // The mapping of 2900 came with the first look, which was taken at 2000: it waits for the sample of 2500.
    try core.process(
      batch(
        2000,
        sideband: [
          SidebandParserTests.mapping(pid: 10, time: 2900, start: 0x700000, byteCount: 0x1000, inode: 80, path: "/lib/a.so")
        ]))
    try core.process(
      batch(
        4000,
        samples: [
          sample(pid: 10, time: 2500, start: 5_000_000_000, user: [0x1]),
          sample(pid: 10, time: 3000, start: 5_000_000_000, user: [0x700100]),
        ]))
    try core.flush()
    let order = sink.records.map { record -> String in
      switch record {
      case .process: "process"
      case .mapping: "mapping"
      case .samples: "samples"
      default: ""
      }
    }.filter { !$0.isEmpty }
    #expect(order == ["process", "mapping", "samples"])
    #expect(copier.paths == ["/lib/a.so"])
  }

  @Test func `threads carry their own names, also after a rename`() throws {
    files.add(10, comm: "app", ticks: 500)
    files.texts["10/task/12/comm"] = "old-worker\n"
    core.scan(only: nil, time: 1000)
    try core.process(
      batch(
        9000,
        samples: [
          sample(pid: 10, tid: 11, time: 3000, start: 5_000_000_000, user: [1]),
          sample(pid: 10, tid: 11, time: 5000, start: 5_000_000_000, user: [1]),
          sample(pid: 10, tid: 12, time: 6000, start: 5_000_000_000, user: [1]),
        ],
        sideband: [
          SidebandParserTests.fork(pid: 10, parent: 10, tid: 11, time: 2000),
          SidebandParserTests.comm(pid: 10, tid: 11, name: "worker", isExec: false, time: 4000),
        ]))
    try core.flush()
    #expect(samples.compactMap { threads[$0.thread]?.comm } == ["app", "worker", "old-worker"])
  }

  @Test func `a sample that does not hold together is counted and the others stay`() throws {
    files.add(10, comm: "app", ticks: 500)
    core.scan(only: nil, time: 1000)
    var torn = sample(pid: 10, time: 3000, start: 5_000_000_000, user: [1, 2, 3])
    torn[8] = 200  // user_frames far beyond the record
    try core.process(batch(9000, samples: [sample(pid: 10, time: 2000, start: 5_000_000_000, user: [1]), torn]))
    try core.flush()
    #expect(samples.count == 1)
    let losses = sink.records.compactMap { if case .loss(let record) = $0 { record } else { nil } }
    #expect(losses.map(\.reason) == [.malformedEvent])
  }

  @Test func `what was lost in the kernel is written by CPU`() throws {
    var batch = KernelBatch(time: 9000)
    for count in [3, 4] as [UInt64] {
      batch.losses.append(LossRecord(reason: .ringBufferFull, cpu: 1, time: MonotonicInstant(nanoseconds: 9000), count: count))
    }
    try core.process(batch)
    try core.flush()
    let losses = sink.records.compactMap { if case .loss(let record) = $0 { record } else { nil } }
    #expect(losses.map(\.count) == [7])
    #expect(core.totals.lostSamples == 7)
  }
}
