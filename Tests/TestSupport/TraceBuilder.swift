import Base
package import TraceFormat

/// Makes small traces by hand: programs, mappings, stacks and samples in the order they are called for.
package struct TraceBuilder {
  package private(set) var records: [TraceRecord] = []
  package let header: SegmentHeader
  private var nextProcess: UInt32 = 1
  private var nextThread: UInt32 = 1
  private var nextSpace: UInt32 = 1
  private var nextImage: UInt32 = 1
  private var nextNode: UInt32 = 1
  private var nextStack: UInt32 = 1
  private var microseconds: UInt64 = 1_000_000
  private var nodes: [Node: UInt32] = [:]
  private var samples: [Sample] = []

  private struct Node: Hashable {
    var parent: UInt32
    var space: UInt8
    var value: UInt64
    var extra: UInt64
  }

  /// A trace of `cpu-clock` at 100 Hz: a sample is 10 ms.
  package init() {
    header = SampleRecords.header
    records.append(
      .event(
        EventRecord(
          handle: EventHandle(0), name: "cpu-clock", type: "cpu", unit: "nanoseconds", frequencyHertz: 100,
          period: 10_000_000)))
  }

  package mutating func add(_ record: TraceRecord) { records.append(record) }

  private var time: MonotonicInstant { MonotonicInstant(nanoseconds: microseconds * 1000) }

  package mutating func process(
    _ pid: UInt32 = 100, start: UInt64 = 1, executable: String = "/usr/bin/app", comm: String = "app",
    isKernelThread: Bool = false, containerID: String = ""
  ) -> ProcessHandle {
    var record = ProcessRecord(
      handle: ProcessHandle(nextProcess), identity: ProcessIdentity(pid: ProcessID(pid), startNanoseconds: start), time: time)
    record.executable = executable
    record.comm = comm
    record.isKernelThread = isKernelThread
    record.containerID = containerID
    records.append(.process(record))
    nextProcess += 1
    return record.handle
  }

  package mutating func thread(of process: ProcessHandle, _ comm: String = "app") -> ThreadHandle {
    let handle = ThreadHandle(nextThread)
    nextThread += 1
    records.append(
      .thread(ThreadRecord(handle: handle, process: process, id: ThreadID(1000 + handle.rawValue), time: time, comm: comm)))
    return handle
  }

  package mutating func addressSpace(
    of process: ProcessHandle, inheriting parent: AddressSpaceHandle? = nil
  ) -> AddressSpaceHandle {
    let handle = AddressSpaceHandle(nextSpace)
    nextSpace += 1
    records.append(
      .addressSpace(
        AddressSpaceRecord(handle: handle, process: process, time: time, origin: parent == nil ? .scan : .fork, inherits: parent)))
    return handle
  }

  /// An image of one executable segment: file offset 0x1000 is image address 0x401000.
  package mutating func image(_ path: String, kind: ImageRecord.Kind = .file, buildID: [UInt8]? = nil) -> ImageHandle {
    var record = ImageRecord(handle: ImageHandle(nextImage), kind: kind, path: path)
    nextImage += 1
    record.byteCount = 0x10000
    record.buildID = buildID.flatMap(BuildID.init)
    if kind == .file {
      record.segments = [
        .init(fileOffset: FileOffset(0x1000), address: ImageAddress(0x401000), fileByteCount: 0x8000, memoryByteCount: 0x8000)
      ]
    }
    records.append(.image(record))
    return record.handle
  }

  package mutating func map(
    _ image: ImageHandle, into space: AddressSpaceHandle, at start: UInt64, byteCount: UInt64 = 0x8000, offset: UInt64 = 0x1000
  ) {
    records.append(
      .mapping(
        MappingRecord(
          addressSpace: space, image: image, time: time, start: ProcessAddress(start), byteCount: byteCount,
          fileOffset: FileOffset(offset), protection: 5)))
  }

  /// A stack of code addresses, outermost first.
  package mutating func stack(in space: AddressSpaceHandle, _ addresses: [UInt64]) -> StackHandle {
    stack([(.root, UInt64(space.rawValue), 0)] + addresses.map { (.user, $0, 0) })
  }

  /// A stack of frames of any space, outermost first, by their value and extra.
  package mutating func stack(
    in space: AddressSpaceHandle, frames: [(space: StackNode.Space, value: UInt64, extra: UInt64)]
  ) -> StackHandle {
    stack([(.root, UInt64(space.rawValue), 0)] + frames)
  }

  package mutating func kernelStack(_ addresses: [UInt64]) -> StackHandle {
    stack([(.root, 0, 0)] + addresses.map { (.kernel, $0, 0) })
  }

  private mutating func stack(_ frames: [(StackNode.Space, UInt64, UInt64)]) -> StackHandle {
    var parent: UInt32 = 0
    var fresh: [StackBatch.NewNode] = []
    let first = nextNode
    var attach: UInt32 = 0
    for (space, value, extra) in frames {
      let key = Node(parent: parent, space: space.rawValue, value: value, extra: extra)
      if let known = nodes[key] {
        parent = known
        attach = known
      } else {
        nodes[key] = nextNode
        parent = nextNode
        nextNode += 1
        fresh.append(.init(space: space, value: value, extra: extra))
      }
    }
    let handle = StackHandle(nextStack)
    nextStack += 1
    records.append(
      .stacks(
        StackBatch(
          firstStack: handle, firstNode: NodeHandle(first),
          stacks: [.init(attach: NodeHandle(attach), newNodeCount: UInt32(fresh.count))], nodes: fresh)))
    return handle
  }

  /// `count` samples, 10 ms apart.
  package mutating func sample(
    _ thread: ThreadHandle, _ user: StackHandle = .empty, kernel: StackHandle = .empty, count: Int = 1, weight: UInt64 = 1,
    cpu: UInt32 = 0, result: UnwindResult = .complete
  ) {
    for _ in 0..<count {
      samples.append(
        Sample(
          cpu: cpu, timeMicroseconds: microseconds, thread: thread, userStack: user, kernelStack: kernel,
          event: EventHandle(0), weight: weight, result: result.rawValue))
      microseconds += 10_000
    }
  }

  /// Writes the samples that wait, as a recorder does every second.
  package mutating func flush() {
    guard !samples.isEmpty else { return }
    records.append(.samples(SampleBatch(samples: samples)))
    samples = []
  }

  /// A finished layer of names: functions by image and image address.
  package mutating func symbols(layer: UInt32, _ names: [(image: ImageHandle, address: UInt64, functions: [String])]) {
    var strings: [String] = []
    var entries: [ImageHandle: [SymbolsRecord.Entry]] = [:]
    for (image, address, functions) in names {
      let frames = functions.map { function in
        strings.append(function)
        return SymbolsRecord.Frame(function: UInt32(strings.count), file: 0, line: 0, startLine: 0)
      }
      entries[image, default: []].append(.init(address: address, frames: frames, reason: frames.isEmpty ? 1 : 0))
    }
    records.append(.symbolStrings(SymbolStringsRecord(layer: layer, first: 1, strings: strings)))
    for image in entries.keys.sorted() {
      let sorted = (entries[image] ?? []).sorted { $0.address < $1.address }
      records.append(.symbols(SymbolsRecord(layer: layer, image: image, addresses: sorted)))
    }
    records.append(.layerEnd(LayerEndRecord(layer: layer, kind: .symbols, recordCount: UInt32(entries.count + 1))))
  }

  /// Writes a whole segment to `path`, a frame a record, so that each can be lost on its own.
  package mutating func write(to path: String) throws(TraceError) {
    flush()
    let writer = try SegmentWriter(path: path, header: header)
    for record in records {
      try writer.append(record)
      try writer.flush()
    }
    try writer.close()
  }
}
