import JFR

/// One walk over a chunk's events: counts by the chunk's own stacks first, which are then turned into the recording's.
struct ChunkPass {
  private var names: ChunkNames
  private let stackKeys: KeyTable
  /// Stacks of the chunk before that events of this one name, as the recording's; numbered on from the chunk's own.
  private var carried: [UInt32] = []
  private var carriedKeys = KeyTable()
  private let options: JavaOptions
  private let isAsyncProfiler: Bool
  private let wantsLabels: Bool
  /// Samples by the chunk's stack number + 1; 0 is none. `cpu` and `wall` hold counts, their periods come later.
  private var sets = Array(repeating: SampleSet(), count: JavaMetric.allCases.count)
  private var cpuTime = SampleSet()
  /// Execution samples whose thread was seen by a wall clock, until it is known what they stand for.
  private var states: [Int64: State] = [:]
  private var lastState: (key: Int64, state: State) = (.min, .running)
  private var threadNames: [Int64: [UInt8]] = [:]
  private var mallocs: [(address: Int64, size: Int64, time: Int64, stack: UInt32, labels: UInt32)] = []
  private var execution: [SampleSet]

  private enum State: Int, CaseIterable {
    /// async-profiler's mark of a sample that a CPU timer took.
    case timed
    case running
    case sleeping
  }

  init(_ chunk: borrowing Chunk, _ options: JavaOptions) {
    names = ChunkNames(chunk)
    stackKeys = chunk.keys(pool: ChunkNames.Pool.stack)
    self.options = options
    isAsyncProfiler = chunk.types.contains(prefix: "profiler.")
    wantsLabels = options.wantsThreads || options.states
    execution = Array(repeating: SampleSet(), count: State.allCases.count)
  }

  mutating func run(_ events: inout EventCursor, _ chunk: borrowing Chunk, _ recording: inout JavaRecording) {
    var slots = [Int64](repeating: 0, count: JavaEvent.Slot.count)
    let kinds = JavaEvent.allCases
    while let place = events.next(&slots) {
      let kind = kinds[place]
      switch kind {
      case .setting: note(slots, chunk, &recording)
      case .machine:
        let name = String(decoding: chunk.text(at: slots[0]), as: UTF8.self)
        let version = String(decoding: chunk.text(at: slots[1]), as: UTF8.self)
        recording.summary.machine = version.isEmpty ? name : version
      case .samplesLost:
        recording.summary.lostSamples = SampleSet.sum(recording.summary.lostSamples, max(0, slots[JavaEvent.Slot.value]))
      case .free:
        recording.memory.free(slots[JavaEvent.Slot.state], time: chunk.clock.unixNanoseconds(ticks: slots[JavaEvent.Slot.time]))
      default: sample(kind, slots, chunk, &recording)
      }
      for slot in slots.indices { slots[slot] = 0 }
    }
  }

  @inline(__always)
  private mutating func sample(
    _ kind: JavaEvent, _ slots: [Int64], _ chunk: borrowing Chunk, _ recording: inout JavaRecording
  ) {
    let key = slots[JavaEvent.Slot.stack]
    let stack = stackKeys.find(key).map { UInt32(truncatingIfNeeded: $0 &+ 1) } ?? carry(key, &recording)
    let labels = wantsLabels || slots[JavaEvent.Slot.span] != 0 ? label(kind, slots, chunk, &recording) : 0
    let value = max(0, slots[JavaEvent.Slot.value])
    switch kind {
    case .execution:
      execution[state(slots[JavaEvent.Slot.state], chunk).rawValue].add(stack: stack, labels: labels, count: 1, value: 0)
    case .cpuTime:
      cpuTime.add(stack: stack, labels: labels, count: 1, value: value)
      if recording.cpuTimePeriod == 0 { recording.cpuTimePeriod = chunk.clock.nanoseconds(ticks: value) }
    case .wallClock:
      sets[JavaMetric.wall.rawValue].add(stack: stack, labels: labels, count: value, value: 0)
    default:
      guard let metric = kind.metric else { return }
      sets[metric.rawValue].add(stack: stack, labels: labels, count: 1, value: value)
      if kind == .malloc {
        let time = chunk.clock.unixNanoseconds(ticks: slots[JavaEvent.Slot.time])
        mallocs.append((slots[JavaEvent.Slot.state], value, time, stack, labels))
      }
    }
  }

  /// The number of a stack that the chunk does not have.
  private mutating func carry(_ key: Int64, _ recording: inout JavaRecording) -> UInt32 {
    if key == 0 { return 0 }
    guard let stack = recording.earlier.stacks[key] else {
      recording.summary.missingStacks += 1
      return 0
    }
    let (number, isNew) = carriedKeys.insert(key)
    if isNew { carried.append(stack) }
    return UInt32(truncatingIfNeeded: stackKeys.count &+ 1 &+ number)
  }

  private mutating func state(_ key: Int64, _ chunk: borrowing Chunk) -> State {
    if key == lastState.key { return lastState.state }
    let found: State
    if let known = states[key] {
      found = known
    } else {
      switch String(decoding: names.state(key, chunk), as: UTF8.self) {
      case "STATE_DEFAULT": found = .timed
      case "STATE_SLEEPING" where isAsyncProfiler: found = .sleeping
      default: found = .running
      }
      states[key] = found
    }
    lastState = (key, found)
    return found
  }

  private mutating func label(
    _ kind: JavaEvent, _ slots: [Int64], _ chunk: borrowing Chunk, _ recording: inout JavaRecording
  ) -> UInt32 {
    var labels = LabelTable.Labels()
    if options.wantsThreads {
      let key = slots[JavaEvent.Slot.thread]
      if let known = threadNames[key] {
        labels.thread = known
      } else {
        labels.thread = names.thread(key, options.threads == .off ? .name : options.threads, chunk)
        threadNames[key] = labels.thread
      }
    }
    if options.states, kind == .execution || kind == .wallClock { labels.state = names.state(slots[JavaEvent.Slot.state], chunk) }
    labels.span = slots[JavaEvent.Slot.span]
    // A key of the chunk's texts, as every agent that has spans writes it.
    if labels.span != 0 { labels.spanName = chunk.text(key: slots[JavaEvent.Slot.spanName]) }
    return recording.labels.number(labels)
  }

  private func note(_ slots: [Int64], _ chunk: borrowing Chunk, _ recording: inout JavaRecording) {
    let type = chunk.types[id: slots[0]]?.name ?? ""
    let name = String(decoding: chunk.text(at: slots[1]), as: UTF8.self)
    let value = String(decoding: chunk.text(at: slots[2]), as: UTF8.self)
    recording.settings.note(type: type, name: name, value: value)
    if isAsyncProfiler, name == "version" { recording.summary.profiler = "async-profiler " + value }
  }

  // MARK: Into the recording

  /// Adds what was counted to the recording, under the periods in force at the chunk's end.
  mutating func fold(_ chunk: borrowing Chunk, _ recording: inout JavaRecording) {
    var stacks = [UInt32](repeating: .max, count: stackKeys.count + 1)
    let period = recording.settings.executionPeriod(isAsyncProfiler: isAsyncProfiler)
    let wallPeriod = recording.settings.wallPeriod
    var cpu = SampleSet()
    for state in State.allCases {
      let set = execution[state.rawValue]
      if set.count == 0 { continue }
      let isWall = isAsyncProfiler && (recording.settings.isWallClock || state != .timed && recording.settings.hasWallBesideCPU)
      if !isWall, state == .sleeping { continue }
      for number in 0..<set.count {
        let entry = set.entry(number)
        if isWall {
          sets[JavaMetric.wall.rawValue].add(stack: entry.stack, labels: entry.labels, count: entry.count, value: 0)
        } else {
          cpu.add(stack: entry.stack, labels: entry.labels, count: entry.count, value: 0)
        }
      }
    }
    sets[JavaMetric.cpu.rawValue] = cpu
    if cpu.count > 0 {
      recording.executionPeriod = period
      if !isAsyncProfiler { recording.summary.hasExecutionSamplesOnly = true }
    }
    if sets[JavaMetric.wall.rawValue].count > 0 { recording.wallPeriod = wallPeriod }

    for metric in JavaMetric.allCases {
      let set = sets[metric.rawValue]
      for number in 0..<set.count {
        let entry = set.entry(number)
        let value =
          switch metric {
          case .cpu: SampleSet.product(entry.count, period)
          case .wall: SampleSet.product(entry.count, wallPeriod)
          case .mutex, .block: chunk.clock.nanoseconds(ticks: entry.value)
          default: entry.value
          }
        let stack = resolve(entry.stack, &stacks, chunk, &recording)
        recording.sets[metric.rawValue].add(stack: stack, labels: entry.labels, count: entry.count, value: value)
      }
    }
    for number in 0..<cpuTime.count {
      let entry = cpuTime.entry(number)
      let stack = resolve(entry.stack, &stacks, chunk, &recording)
      recording.cpuTime.add(
        stack: stack, labels: entry.labels, count: entry.count, value: chunk.clock.nanoseconds(ticks: entry.value))
    }
    for malloc in mallocs {
      let stack = resolve(malloc.stack, &stacks, chunk, &recording)
      recording.memory.allocate(malloc.address, size: malloc.size, time: malloc.time, stack: stack, labels: malloc.labels)
    }
    // async-profiler writes the stacks of a chunk's events into that chunk.
    if isAsyncProfiler || stackKeys.count > EarlierStacks.maximum { return recording.earlier = EarlierStacks() }
    var all = [Int64: UInt32](minimumCapacity: stackKeys.count)
    for (number, key) in stackKeys.keys.enumerated() {
      all[key] = resolve(UInt32(truncatingIfNeeded: number &+ 1), &stacks, chunk, &recording)
    }
    recording.earlier = EarlierStacks(all, of: chunk.header)
  }

  private mutating func resolve(
    _ stack: UInt32, _ known: inout [UInt32], _ chunk: borrowing Chunk, _ recording: inout JavaRecording
  ) -> UInt32 {
    let place = Int(stack)
    // Not one of the chunk's own.
    if place >= known.count { return carried[place - known.count] }
    if known[place] == .max {
      known[place] =
        place == 0 ? ChunkNames.none(&recording.table) : names.stack(place - 1, chunk, &recording.table)
    }
    return known[place]
  }
}
