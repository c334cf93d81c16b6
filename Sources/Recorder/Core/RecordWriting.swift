import Base
package import TraceFormat

/// What is written, once each segment, and when.
extension RecordingCore {
  /// The program's record is written where this segment does not have it yet.
  func handle(of program: RecordedProcess) throws(TraceError) -> ProcessHandle {
    if let handle = program.handle { return handle }
    if processes[program.pid] === program {
      try materialize(program)
    } else {
      program.handle = ProcessHandle(nextProcess)
      nextProcess += 1
      totals.processes += 1
      try write(program)
    }
    return program.handle ?? ProcessHandle(0)
  }

  /// Writes what is known of a process once its first sample is there.
  func materialize(_ process: RecordedProcess) throws(TraceError) {
    process.handle = ProcessHandle(nextProcess)
    nextProcess += 1
    totals.processes += 1
    try write(process)
    let space = try beginSpace(
      of: process, ProcessHandle(nextProcess - 1), time: process.programTime, process.scannedAt != 0 ? .scan : .exec)
    for mapping in process.mappings { try write(mapping, in: space) }
  }

  /// Gives the process a new address space, as yet without mappings but those it inherits.
  /// - Parameter time: CLOCK_MONOTONIC, nanoseconds.
  func beginSpace(
    of process: RecordedProcess, _ handle: ProcessHandle, time: UInt64, _ origin: AddressSpaceRecord.Origin,
    inherits: AddressSpaceHandle? = nil
  ) throws(TraceError) -> AddressSpaceHandle {
    let space = AddressSpaceHandle(nextSpace)
    nextSpace += 1
    process.space = space
    try sink.append(
      .addressSpace(
        AddressSpaceRecord(
          handle: space, process: handle, time: MonotonicInstant(nanoseconds: time), origin: origin, inherits: inherits)))
    return space
  }

  func write(_ process: RecordedProcess) throws(TraceError) {
    guard let handle = process.handle else { return }
    var record = ProcessRecord(
      handle: handle,
      identity: ProcessIdentity(pid: ProcessID(process.pid), startNanoseconds: process.startTime),
      time: MonotonicInstant(nanoseconds: process.programTime))
    record.parent = ProcessID(process.facts.parent)
    record.comm = process.facts.comm
    record.executable = process.facts.executable
    record.commandLine = process.facts.commandLine
    record.cgroup = process.facts.cgroup
    record.containerID = process.facts.containerID
    record.namespaces = process.facts.namespaces
    record.userID = process.facts.userID
    record.isKernelThread = process.facts.isKernelThread
    try sink.append(.process(record))
  }

  func write(_ mapping: RecordedProcess.Mapping, in space: AddressSpaceHandle) throws(TraceError) {
    let image = mapping.image
    if image.handle == nil {
      try sink.append(.image(images.record(of: image)))
    }
    try sink.append(
      .mapping(
        MappingRecord(
          addressSpace: space, image: images.giveHandle(to: image), time: MonotonicInstant(nanoseconds: mapping.time),
          start: ProcessAddress(mapping.start), byteCount: mapping.end &- mapping.start,
          fileOffset: FileOffset(mapping.fileOffset), protection: mapping.protection)))
  }

  /// Asks for a copy of every image that a frame seen for the first time lies in.
  func note(_ frames: [(addressSpace: UInt32, address: UInt64)], in mappings: MappingTable) {
    // Frames one after another mostly lie in one image, and most images were asked for before.
    var asked = (start: UInt64(0), end: UInt64(0))
    for frame in frames {
      if frame.addressSpace == AddressSpaceHandle.kernel.rawValue {
        newKernelAddresses.append(frame.address)
      } else if frame.address < asked.start || frame.address >= asked.end, let mapping = mappings.interval(at: frame.address) {
        asked = (mapping.start, mapping.end)
        want(mapping.image)
      }
    }
  }

  func want(_ image: ImageTable.Image) {
    guard !image.isWanted else { return }
    image.isWanted = true
    copier.copy(images.request(for: image))
  }

  /// Goes on in another segment, which stands alone: programs, mappings, images and stacks are written there again when
  /// samples hit them. What waited must have been flushed, and no sample may wait for its tables.
  package func begin(sink: any RecordSink, copier: any ImageCopying) {
    self.sink = sink
    self.copier = copier
    stacks = StackTable()
    breaks = UnwindBreaks()
    (nextProcess, nextThread, nextSpace) = (1, 1, 1)
    recentThreads.forget()
    var mapped: Set<ObjectIdentifier> = []
    for process in processes.values {
      process.handle = nil
      process.space = nil
      for mapping in process.mappings { mapped.insert(ObjectIdentifier(mapping.image)) }
    }
    for waiting in held { if let image = waiting.image { mapped.insert(ObjectIdentifier(image)) } }
    images.beginSegment(mapped: mapped)
    interpreters?.beginSegment()
    threads = threads.mapValues { RecordedThread(process: $0.process, comm: $0.comm) }
  }

  /// Writes what waits and makes it safe from a kill.
  package func flush() throws(TraceError) {
    try writePending()
    unwinder?.sweepNowAndThen()
    for record in breaks.take() { try sink.append(.unwindBreak(record)) }
    for loss in pendingLosses { try sink.append(.loss(loss)) }
    pendingLosses.removeAll(keepingCapacity: true)
    try sink.flush()
  }

  func writePendingIfMany() throws(TraceError) {
    guard
      pendingCount >= Self.maximumPendingSamples || stacks.pendingNodeCount >= Self.maximumPendingNodes || stackCopies.areMany
    else { return }
    try writePending()
  }

  private func writePending() throws(TraceError) {
    if stacks.hasNew { try sink.append(.stacks(stacks.takeBatch())) }
    guard pendingCount > 0 else { return }
    var samples: [Sample] = []
    samples.reserveCapacity(pendingCount)
    for cpu in pending.indices {
      // Those that waited for their tables come late.
      if waitingStacks != nil { pending[cpu].sort { $0.timeMicroseconds < $1.timeMicroseconds } }
      samples += pending[cpu]
      pending[cpu].removeAll(keepingCapacity: true)
    }
    pendingCount = 0
    try sink.append(.samples(SampleBatch(samples: samples)))
    // After the stacks they name.
    for record in stackCopies.take() { try sink.append(.stackCopy(record)) }
  }

  func lose(_ reason: LossRecord.Reason, _ count: UInt64) {
    lose(LossRecord(reason: reason, cpu: .max, time: MonotonicInstant(nanoseconds: now), count: count))
  }

  func lose(_ loss: LossRecord) {
    if loss.reason.isSamples { totals.lostSamples += loss.count }
    // One record for each reason and CPU between two flushes, however many events there were.
    if let index = pendingLosses.firstIndex(where: { $0.reason == loss.reason && $0.cpu == loss.cpu }) {
      pendingLosses[index].count += loss.count
    } else {
      pendingLosses.append(loss)
    }
  }
}
