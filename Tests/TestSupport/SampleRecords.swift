import Base
package import TraceFormat

/// One record of every kind with every field set to something of its own, for tests of the format.
package enum SampleRecords {
  package static let header = SegmentHeader(
    traceID: Array(1...16),
    anchor: ClockAnchor(
      monotonic: MonotonicInstant(nanoseconds: 5_000_000_000), unix: UnixInstant(nanoseconds: 1_700_000_000_000_000_000),
      bootNanoseconds: 6_000_000_000),
    machine: "x86_64", kernelRelease: "6.1.0", kernelVersion: "#1 SMP", hostName: "host", cpuCount: 2,
    recorderVersion: "0.1", abilities: [.init(name: "event", value: "cpu-clock")])

  package static var all: [TraceRecord] {
    var process = ProcessRecord(
      handle: ProcessHandle(1), identity: ProcessIdentity(pid: ProcessID(77), startNanoseconds: 99_000_000),
      time: MonotonicInstant(nanoseconds: 5_000_000_001))
    process.parent = ProcessID(1)
    process.comm = "worker"
    process.executable = "/usr/bin/worker"
    process.commandLine = ["worker", "--fast", ""]
    process.cgroup = "0::/system.slice/worker.service"
    process.containerID = "abc"
    process.namespaces = [.init(kind: "mnt", inode: 4_026_531_840), .init(kind: "pid", inode: 4_026_531_836)]
    process.userID = 1000
    var image = ImageRecord(handle: ImageHandle(3), kind: .file, path: "/usr/bin/worker")
    image.wasDeleted = true
    image.device = 0xfd01
    image.inode = 123
    image.inodeGeneration = 5
    image.byteCount = 40_000
    image.modified = -7
    image.buildID = BuildID([0xab, 0xcd, 0xef])
    image.segments = [
      .init(fileOffset: FileOffset(0), address: ImageAddress(0), fileByteCount: 4096, memoryByteCount: 4096),
      .init(fileOffset: FileOffset(4096), address: ImageAddress(0x401000), fileByteCount: 8192, memoryByteCount: 9000),
    ]
    let time = MonotonicInstant(nanoseconds: 5_000_000_100)
    return [
      .process(process),
      .processEnd(ProcessEndRecord(handle: ProcessHandle(1), time: time)),
      .thread(ThreadRecord(handle: ThreadHandle(2), process: ProcessHandle(1), id: ThreadID(78), time: time, comm: "w-1")),
      .addressSpace(
        AddressSpaceRecord(
          handle: AddressSpaceHandle(4), process: ProcessHandle(1), time: time, origin: .fork,
          inherits: AddressSpaceHandle(3))),
      .mapping(
        MappingRecord(
          addressSpace: AddressSpaceHandle(4), image: ImageHandle(3), time: time,
          start: ProcessAddress(0x5555_5555_4000), byteCount: 8192, fileOffset: FileOffset(4096), protection: 5)),
      .image(image),
      .imageChunk(ImageChunkRecord(image: ImageHandle(3), fileOffset: FileOffset(64), bytes: [1, 2, 3, 0, 255])),
      .imageEnd(
        ImageEndRecord(image: ImageHandle(3), outcome: .sameAs, same: ImageHandle(2), copiedByteCount: 5)),
      .event(
        EventRecord(
          handle: EventHandle(0), name: "cpu-clock", type: "cpu", unit: "nanoseconds", frequencyHertz: 97,
          period: 10_309_278)),
      .stacks(
        StackBatch(
          firstStack: StackHandle(1), firstNode: NodeHandle(1),
          stacks: [.init(attach: NodeHandle(0), newNodeCount: 3), .init(attach: NodeHandle(2), newNodeCount: 2)],
          nodes: [
            .init(space: .root, value: 4), .init(space: .user, value: 0x5555_5555_4100),
            .init(space: .user, value: 0x5555_5555_4200), .init(space: StackNode.Space(16), value: 9, extra: 12),
            .init(space: StackNode.Space(17), value: 10, extra: 13),
          ])),
      .samples(
        SampleBatch(samples: [
          Sample(
            cpu: 0, timeMicroseconds: 5_000_000, thread: ThreadHandle(2), userStack: StackHandle(1),
            kernelStack: .empty, event: EventHandle(0), weight: 1, result: 0),
          Sample(
            cpu: 0, timeMicroseconds: 5_010_309, thread: ThreadHandle(2), userStack: StackHandle(2),
            kernelStack: StackHandle(1), event: EventHandle(1), weight: 3, result: 1),
          Sample(
            cpu: 3, timeMicroseconds: 4_999_999, thread: ThreadHandle(1), userStack: .empty,
            kernelStack: StackHandle(1), event: EventHandle(0), weight: 1, result: 200),
        ])),
      .kernelSymbols(
        KernelSymbolsRecord(symbols: [
          .init(address: 0xffff_ffff_8100_0000, byteCount: 16, name: "_text", module: ""),
          .init(address: 0xffff_ffff_c000_0000, byteCount: 32, name: "probe", module: "bpf"),
        ])),
      .kernelModules(
        KernelModulesRecord(modules: [
          .init(name: "vmlinux", address: 0xffff_ffff_8100_0000, byteCount: 1 << 24, buildID: "abcd")
        ])),
      .loss(LossRecord(reason: .perfBufferFull, cpu: .max, time: time, count: 12)),
      .sessionFact(SessionFactRecord(name: "end.reason", value: "duration")),
      .targetLabels(
        TargetLabelsRecord(layer: 1, process: ProcessHandle(1), labels: [.init(name: "env", value: "prod")])),
      .symbolStrings(SymbolStringsRecord(layer: 2, first: 1, strings: ["main", "", "é"])),
      .symbols(
        SymbolsRecord(
          layer: 2, image: ImageHandle(3),
          addresses: [
            .init(address: 0x401100, frames: [.init(function: 1, file: 0, line: 7, startLine: 3)], reason: 0),
            .init(address: 0x401200, frames: [], reason: 4),
          ])),
      .layerEnd(LayerEndRecord(layer: 2, kind: .symbols, recordCount: 2)),
      .memory(
        MemoryRecord(
          addressSpace: AddressSpaceHandle(4), time: time, start: ProcessAddress(0x7fff_0000), bytes: [9, 8, 7])),
      .unwindBreak(UnwindBreakRecord(image: ImageHandle(3), reason: 6, wasGuessed: true, count: 700)),
      .code(
        CodeRecord(
          handle: CodeHandle(5), interpreter: StackNode.Space(16), lineFormat: 3, runtime: "CPython 3.11", name: "Class.method",
          file: "/app/main.py", firstLine: 30, lines: [0x80, 0, 0x88, 1])),
      .jitSymbols(
        JITSymbolsRecord(
          image: ImageHandle(3), time: time,
          symbols: [
            .init(address: 0x7f00_0000_2000, byteCount: 64, name: "LazyCompile:*run /app/a.js:1:2"),
            .init(address: 0x7f00_0000_1000, byteCount: 1, name: ""),
          ])),
      .stackCopy(
        StackCopyRecord(
          sample: Sample(
            cpu: 1, timeMicroseconds: 5_000_123, thread: ThreadHandle(2), userStack: StackHandle(9), kernelStack: .empty,
            event: EventHandle(0), weight: 3, result: 4),
          addressSpace: AddressSpaceHandle(4), knownFrameCount: 2,
          registers: .init(
            pc: 0x5555_5555_4010, sp: 0x7fff_ffff_e000, fp: .max, lr: 7, numbered: [1, 0, .max], isReturnAddress: true,
            isComplete: true),
          stack: [1, 2, 3, 4, 5, 6, 7, 8])),
      .targets(
        TargetsRecord(
          component: "discovery.docker.local", time: time,
          targets: [[.init(name: "__address__", value: ":80"), .init(name: "__meta_docker_container_name", value: "/é")], []])),
      .javaChunk(
        JavaChunkRecord(process: ProcessHandle(1), engine: .asyncProfiler, chunk: 4, offset: 262_144, bytes: [0x46, 0x4c, 0x52, 0])),
    ]
  }
}
