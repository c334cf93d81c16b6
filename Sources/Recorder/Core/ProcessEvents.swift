import Base
import TraceFormat

/// What is running when the recording begins, and what happens to it while it runs.
extension RecordingCore {
  /// Reads every process (or just `only`) from `/proc`.
  package func scan(only: Set<UInt32>?, time: UInt64) {
    followsOnlyKnown = only != nil
    // Samples are being taken already, of those that run: they come first.
    var running: [(pid: UInt32, stat: [UInt8])] = []
    var others: [(pid: UInt32, stat: [UInt8])] = []
    for pid in files.processes() where only?.contains(pid) ?? true {
      guard let stat = ProcessFacts.stat(of: pid, in: files) else { continue }
      if ProcessFacts.isRunning(stat) { running.append((pid, stat)) } else { others.append((pid, stat)) }
    }
    for (pid, stat) in running + others {
      var isRunning = false
      if processes[pid] == nil, let process = adopt(pid, stat: stat, time: time), process.facts.isRunning {
        isRunning = true
        unwinder?.expectSamples(of: process)
      }
      // The first processes need not wait for the last.
      if isRunning || changedProcesses.count >= Self.processesTold {
        publishChanges()
        _ = unwinder?.takeFinished()
      }
    }
    publishChanges()
  }

  @discardableResult
  func adopt(_ pid: UInt32, stat: [UInt8]? = nil, time: UInt64) -> RecordedProcess? {
    guard processes.count < Self.maximumProcesses else {
      lose(.overLimit, 1)
      return nil
    }
    guard let facts = ProcessFacts(process: pid, stat: stat, recent: &recentFacts, in: files) else { return nil }
    let process = RecordedProcess(
      pid: pid, facts: facts, startTime: facts.startNanoseconds, scannedAt: time, programTime: time)
    if !facts.isKernelThread, let text = try? files.read("\(pid)/maps", limit: 64 << 20) {
      for map in ProcessMap.executable(in: text).prefix(Self.maximumMappings) {
        let image = images.image(
          process: pid, start: map.start, byteCount: map.end - map.start, path: map.path, device: map.device,
          inode: map.inode, generation: 0)
        _ = process.insert(
          RecordedProcess.Mapping(
            start: map.start, end: map.end, fileOffset: map.fileOffset, protection: map.protection, image: image,
            time: time))
      }
    }
    processes[pid] = process
    changedProcesses.insert(pid)
    return process
  }

  func apply(_ event: SidebandEvent, facts: ProcessFacts?, image: ImageTable.Image?) throws(TraceError) {
    let pid = event.process.rawValue
    let time = event.time.nanoseconds
    if case .mapping = event.kind {} else { recentThreads.forget() }
    switch event.kind {
    case .lost(let count):
      lose(.perfBufferFull, count)
    case .fork(let parent, let parentThread):
      if parent == event.process {
        guard threads.count < Self.maximumThreads else { return lose(.overLimit, 1) }
        let comm = threads[parentThread.rawValue]?.comm ?? processes[pid]?.facts.comm ?? ""
        threads[event.thread.rawValue] = RecordedThread(process: pid, comm: comm)
        return
      }
      if let known = processes[pid], known.scannedAt > time { return }
      try end(pid, time: time)
      guard processes.count < Self.maximumProcesses else { return lose(.overLimit, 1) }
      guard let source = processes[parent.rawValue] ?? (followsOnlyKnown ? nil : adopt(parent.rawValue, time: time))
      else { return }
      let child = RecordedProcess(forkOf: source, pid: pid, time: time)
      processes[pid] = child
      changedProcesses.insert(pid)
      threads[event.thread.rawValue] = RecordedThread(
        process: pid, comm: threads[parentThread.rawValue]?.comm ?? source.facts.comm)
    case .comm(let name, let isExec):
      let comm = String(decoding: name, as: UTF8.self)
      if isExec {
        if let known = processes[pid], known.scannedAt > time { return }
        if followsOnlyKnown, processes[pid] == nil { return }
        try exec(pid, comm: comm, time: time, facts: facts)
      }
      threads[event.thread.rawValue] = RecordedThread(process: pid, comm: comm)
      if event.thread.rawValue == pid { processes[pid]?.facts.comm = comm }
    case .exit:
      threads[event.thread.rawValue] = nil
      if event.thread.rawValue == pid, let process = processes[pid] {
        process.exitedAt = time
        exited.append((pid, time))
      }
    case .mapping(let mapping):
      guard let process = processes[pid] ?? (followsOnlyKnown ? nil : adopt(pid, time: time)), process.scannedAt <= time
      else { return }
      let image =
        image
        ?? images.image(
          process: pid, start: mapping.start, byteCount: mapping.byteCount, path: mapping.path, device: mapping.device,
          inode: mapping.inode, generation: mapping.inodeGeneration)
      try insert(
        RecordedProcess.Mapping(
          start: mapping.start, end: mapping.start &+ mapping.byteCount, fileOffset: mapping.fileOffset,
          protection: mapping.protection, image: image, time: time),
        into: process)
    }
  }

  /// The process runs another program from `time` on: a new program record, a new address space.
  private func exec(_ pid: UInt32, comm: String, time: UInt64, facts: ProcessFacts?) throws(TraceError) {
    let before = processes[pid]
    if let handle = before?.handle {
      try sink.append(.processEnd(ProcessEndRecord(handle: handle, time: MonotonicInstant(nanoseconds: time))))
    }
    var known = facts ?? before?.facts
    if facts == nil {
      // The program is gone before it could be asked: what it was before it ran is not what it is.
      known?.executable = ""
      known?.commandLine = []
    }
    guard var current = known else { return }
    current.comm = comm
    let process = RecordedProcess(
      pid: pid, facts: current, startTime: before?.startTime ?? current.startNanoseconds, scannedAt: 0, programTime: time)
    process.startIsExact = before?.startIsExact ?? false
    // The arguments are set up a moment after the name.
    if facts != nil, current.commandLine.isEmpty, !current.isZombie {
      process.attemptsLeft = Self.argumentAttempts
      awaitingFacts.append(process)
    }
    if let unwinder { process.change = RecordedProcess.Change(generation: unwinder.nextGeneration, begin: 0, end: .max) }
    processes[pid] = process
    changedProcesses.insert(pid)
  }

  private func insert(_ mapping: RecordedProcess.Mapping, into process: RecordedProcess) throws(TraceError) {
    guard mapping.start < mapping.end else { return lose(.malformedEvent, 1) }
    guard process.mappings.count < Self.maximumMappings else { return lose(.overLimit, 1) }
    // The first file that exec maps is the program itself.
    if process.facts.executable.isEmpty, mapping.image.kind == .file { process.facts.executable = mapping.image.path }
    switch process.insert(mapping) {
    case .known: return
    case .added:
      changedProcesses.insert(process.pid)
      if let space = process.space { try write(mapping, in: space) }
    case .replaced:
      changedProcesses.insert(process.pid)
      if let unwinder { process.noteChange(generation: unwinder.nextGeneration, mapping.start, mapping.end) }
      guard let old = process.space, let handle = process.handle else { return }
      try write(mapping, in: try beginSpace(of: process, handle, time: mapping.time, .remap, inherits: old))
    }
  }

  func end(_ pid: UInt32, time: UInt64) throws(TraceError) {
    recentThreads.forget()
    guard let process = processes.removeValue(forKey: pid) else { return }
    guard let handle = process.handle else { return }
    try sink.append(
      .processEnd(ProcessEndRecord(handle: handle, time: MonotonicInstant(nanoseconds: process.exitedAt ?? time))))
  }

  func forgetExited() {
    var count = 0
    for (pid, time) in exited {
      guard time &+ Self.keptAfterExit < now else { break }
      count += 1
      guard let process = processes[pid], process.exitedAt == time else { continue }
      try? end(pid, time: time)  // a full disk shows itself at the next flush
      unwinder?.forget(pid)
      interpreters?.forget(pid)
      onProcessGone?(pid)
    }
    exited.removeFirst(count)
  }

  func retryFacts() {
    unsettled = unsettled.compactMap { (index, attemptsLeft) in
      let arguments = ProcessFacts.commandLine(of: held[index].event.process.rawValue, in: files)
      held[index].facts?.commandLine = arguments
      return arguments.isEmpty && attemptsLeft > 1 ? (index, attemptsLeft - 1) : nil
    }
    guard !awaitingFacts.isEmpty else { return }
    var still: [RecordedProcess] = []
    for process in awaitingFacts where process.exitedAt == nil && processes[process.pid] === process {
      process.attemptsLeft -= 1
      let arguments = ProcessFacts.commandLine(of: process.pid, in: files)
      if arguments.isEmpty {
        if process.attemptsLeft > 0 { still.append(process) }
        continue
      }
      process.facts.commandLine = arguments
      if process.handle != nil { try? write(process) }
    }
    awaitingFacts = still
  }

  /// The program a process of this start runs, also when nothing was seen of it: a JVM's own recording belongs to it.
  /// - Parameter startTicks: field 22 of `/proc/PID/stat`.
  /// - Returns: `nil` when the process is gone and was never seen.
  func program(of pid: UInt32, startTicks: UInt64, time: UInt64) -> RecordedProcess? {
    if let known = processes[pid], known.startTime == 0 || known.startTime / ProcessFacts.nanosecondsPerTick == startTicks {
      return known
    }
    guard let facts = ProcessFacts(process: pid, recent: &recentFacts, in: files),
      facts.startNanoseconds / ProcessFacts.nanosecondsPerTick == startTicks
    else { return nil }
    return RecordedProcess(pid: pid, facts: facts, startTime: facts.startNanoseconds, scannedAt: time, programTime: time)
  }
}
