import Base
import CLibBPF
import CRecorderABI
import Glibc
import TraceFormat
import Unwind

/// The BPF program loaded and attached to a sampling event on every CPU, and its ring buffer.
@safe final class Sampler {
  struct Settings {
    var frequencyHertz: Int
    var filtersProcesses = false
    var cgroupDescriptors: [Int32] = []
    /// Bytes of memory for the rows of unwind tables; 0 to have the kernel walk frame pointers.
    var unwindTableBytes = 0
    /// Every sample carries its registers and its stack; by tables only.
    var copiesStacks = false
  }
  struct Event {
    var name: String
    var type: UInt32
    var config: UInt64
  }

  /// What tells the unwinder that a process begins to change.
  private static let changePrograms = ["forget_on_exec", "forget_on_fork", reuseProgram]
  /// Not every kernel has its tracepoint; without it a change is noticed when the recorder hears of it.
  private static let reuseProgram = "forget_on_reuse"

  private let object: OpaquePointer
  private var ring: OpaquePointer?
  private var links: [OpaquePointer] = unsafe []
  private let counters: Int32
  private let targets: Int32
  private let possibleCPUs: Int
  private var lostBefore: [UInt64]
  /// `nil` where the kernel is too old or does not let itself be asked. Good as long as the sampler lives.
  private(set) var kernelNames: KernelNames?
  /// What `consume` fills.
  private var collected: [UInt8] = []
  private(set) var event = Event(name: "cpu-clock", type: 1, config: 0)
  /// The descriptor of the map of interpreters; -1 where they are not looked for.
  private(set) var interpreterMap: Int32 = -1
  /// What unwinding by tables reads; `nil` when the kernel walks frame pointers.
  private(set) var unwindArrays: UnwindArrays?
  private(set) var processPointers = ProcessPointers()
  private var sampleProgram: String { unwindArrays == nil ? "on_sample" : "on_sample_tables" }

  /// Loads the program; nothing is sampled yet.
  init(_ settings: Settings, cpuCount: Int) throws(RecorderError) {
    pyrorec_libbpf_capture()
    pyrorec_libbpf_clear()
    let rowMap = settings.unwindTableBytes > 0 ? RowMap(budget: settings.unwindTableBytes) : nil
    let image = Self.embeddedObject()
    let types = KernelTypesFile()
    let opened = unsafe Self.open(image, typesPath: types?.path)
    guard let opened = unsafe opened else { throw Self.refusal("opening the sampler's object") }
    var keepsObject = false
    defer { if !keepsObject { unsafe bpf_object__close(opened) } }

    let bytes = Self.ringBytes(frequency: settings.frequencyHertz, cpus: cpuCount, hasStackCopies: settings.unwindTableBytes > 0)
    guard let events = unsafe bpf_object__find_map_by_name(opened, "events"),
      unsafe bpf_map__set_max_entries(events, UInt32(bytes)) == 0,
      let constants = unsafe bpf_object__find_map_by_name(opened, ".rodata"),
      let targetsMap = unsafe bpf_object__find_map_by_name(opened, "targets")
    else { throw Self.refusal("finding the sampler's maps") }
    // A map that nothing asks keeps one entry: it is allocated whole.
    if !settings.filtersProcesses { unsafe bpf_map__set_max_entries(targetsMap, 1) }
    let usesTables = settings.unwindTableBytes > 0
    var unused = usesTables ? ["on_sample"] : ["on_sample_tables"] + Self.changePrograms
    if !settings.filtersProcesses { unused += ["on_fork", "on_exec"] }
    for name in unused {
      if let program = unsafe bpf_object__find_program_by_name(opened, name) { unsafe bpf_program__set_autoload(program, false) }
    }
    let canName = KernelNames.isAvailable
    if !canName, let program = unsafe bpf_object__find_program_by_name(opened, "on_names") {
      unsafe bpf_program__set_autoload(program, false)
    }
    let possible = max(Int(libbpf_num_possible_cpus()), 1)
    for name in UnwindMapNames.all {
      guard let map = unsafe bpf_object__find_map_by_name(opened, name) else { throw Self.refusal("finding the sampler's maps") }
      unsafe bpf_map__set_autocreate(map, usesTables)
      if name == UnwindMapNames.scratches { unsafe bpf_map__set_max_entries(map, UInt32(possible)) }
      if name == UnwindMapNames.chunks {
        unsafe bpf_map__set_max_entries(map, UInt32(UnwindArrays.chunkCount(budget: settings.unwindTableBytes)))
        // Where it was refused, libbpf asks again and says why.
        if let descriptor = rowMap?.descriptor, descriptor >= 0 { _ = unsafe bpf_map__reuse_fd(map, descriptor) }
      }
    }
    if usesTables, let scratch = unsafe bpf_object__find_map_by_name(opened, "scratch") { unsafe bpf_map__set_autocreate(scratch, false) }
    var values = pyrorec_settings()
    values.filter_processes = settings.filtersProcesses ? 1 : 0
    values.filter_cgroups = UInt32(settings.cgroupDescriptors.count)
    values.wakeup_bytes = UInt64(bytes / 4)
    values.self_pid = UInt32(getpid())
    values.copies_stacks = settings.copiesStacks ? 1 : 0
    var size = 0
    guard let initial = unsafe bpf_map__initial_value(constants, &size), size >= MemoryLayout<pyrorec_settings>.size
    else { throw Self.refusal("setting the sampler's constants") }
    unsafe UnsafeMutableRawPointer(mutating: initial).copyMemory(from: &values, byteCount: MemoryLayout<pyrorec_settings>.size)
    // Until it is loaded libbpf has but the name of the file.
    let refused = withExtendedLifetime(types) { unsafe bpf_object__load(opened) }
    guard refused == 0 else { throw Self.refusal("loading the sampler") }
    guard let cgroups = unsafe bpf_object__find_map_by_name(opened, "cgroups"),
      let countersMap = unsafe bpf_object__find_map_by_name(opened, "counters")
    else { throw Self.refusal("finding the sampler's maps") }
    for (index, descriptor) in settings.cgroupDescriptors.enumerated() {
      var key = UInt32(index)
      var value = descriptor
      guard unsafe bpf_map_update_elem(bpf_map__fd(cgroups), &key, &value, 0) == 0 else { throw Self.refusal("setting the cgroups") }
    }
    unsafe targets = bpf_map__fd(targetsMap)
    unsafe counters = bpf_map__fd(countersMap)
    possibleCPUs = max(Int(libbpf_num_possible_cpus()), 1)
    lostBefore = [UInt64](repeating: 0, count: possibleCPUs)
    var arrays: UnwindArrays?
    if usesTables {
      func descriptor(_ name: String) -> Int32 { unsafe bpf_object__find_map_fd_by_name(opened, name) }
      do throws(SystemCallError) {
        arrays = try UnwindArrays(
          budget: settings.unwindTableBytes,
          maps: UnwindArrays.Maps(
            chunks: descriptor(UnwindMapNames.chunks), pages: descriptor(UnwindMapNames.pages),
            mappings: descriptor(UnwindMapNames.mappings), rules: descriptor(UnwindMapNames.rules)))
        processPointers = ProcessPointers(map: descriptor(UnwindMapNames.processes))
      } catch { throw .systemCall(error) }
    }
    unwindArrays = arrays
    if usesTables { interpreterMap = unsafe bpf_object__find_map_fd_by_name(opened, UnwindMapNames.interpreters) }
    unsafe object = opened
    keepsObject = true
    if canName, let program = unsafe bpf_object__find_program_by_name(opened, "on_names"),
      let names = unsafe bpf_object__find_map_by_name(opened, "names")
    {
      kernelNames = unsafe KernelNames(program: bpf_program__fd(program), map: bpf_map__fd(names))
    }

    let context = unsafe Unmanaged.passUnretained(self).toOpaque()
    unsafe ring = ring_buffer__new(
      bpf_map__fd(events),
      { context, data, size -> Int32 in
        // Safe: libbpf hands back the context given below, alive as long as the ring, and `size` readable bytes.
        guard let context = unsafe context, let data = unsafe data else { return 0 }
        let sampler = unsafe Unmanaged<Sampler>.fromOpaque(context).takeUnretainedValue()
        unsafe sampler.collect(UnsafeRawBufferPointer(start: data, count: size))
        return 0
      }, context, nil)
    guard unsafe ring != nil else { throw Self.refusal("mapping the ring buffer (\(bytes >> 10) KiB)") }
  }

  deinit {
    unsafe links.forEach { _ = unsafe bpf_link__destroy($0) }
    unsafe ring_buffer__free(ring)
    unsafe bpf_object__close(object)
  }

  /// Becomes readable when a part of the ring buffer is full.
  var descriptor: Int32 { unsafe ring_buffer__epoll_fd(ring) }

  /// Begins to sample on every CPU of `cpus`.
  func start(cpus: [Int32], frequencyHertz: Int) throws(RecorderError) {
    for name in ["on_fork", "on_exec"] + Self.changePrograms {
      guard let program = unsafe bpf_object__find_program_by_name(object, name), unsafe bpf_program__autoload(program) else { continue }
      guard let link = unsafe bpf_program__attach(program) else {
        if name == Self.reuseProgram { continue }
        throw Self.refusal("attaching \(name)")
      }
      unsafe links.append(link)
    }
    guard let program = unsafe bpf_object__find_program_by_name(object, sampleProgram) else {
      throw Self.refusal("finding \(sampleProgram)")
    }
    // Cycles where there is a performance monitoring unit, the CPU's clock elsewhere (most virtual machines).
    let choices = [Event(name: "cycles", type: 0, config: 0), Event(name: "cpu-clock", type: 1, config: 0)]
    var chosen: Event?
    for cpu in cpus {
      var descriptor: Int32 = -1
      for choice in chosen.map({ [$0] }) ?? choices {
        var attributes = perf_event_attr()
        unsafe pyrorec_sampling_attr(&attributes, choice.type, choice.config, UInt64(frequencyHertz))
        descriptor = unsafe pyrorec_perf_event_open(&attributes, -1, cpu, -1, UInt(PERF_FLAG_FD_CLOEXEC))
        if descriptor >= 0 {
          chosen = choice
          break
        }
        if errno == EACCES || errno == EPERM { break }
      }
      if descriptor < 0, errno == ENODEV { continue }
      guard descriptor >= 0 else { throw .refused(operation: "perf_event_open for sampling on CPU \(cpu)", code: errno, detail: "") }
      guard let link = unsafe bpf_program__attach_perf_event(program, descriptor) else {
        let error = Self.refusal("attaching the sampler to CPU \(cpu)")
        _ = close(descriptor)
        throw error
      }
      unsafe links.append(link)
    }
    if let chosen { event = chosen }
  }

  /// Stops sampling; what is in the ring buffer stays to be read.
  func stop() {
    unsafe links.forEach { _ = unsafe bpf_link__destroy($0) }
    unsafe links.removeAll()
  }

  /// Appends every waiting sample, each after its length.
  func drain(into bytes: inout [UInt8]) {
    swap(&bytes, &collected)
    _ = unsafe ring_buffer__consume(ring)
    swap(&bytes, &collected)
  }

  private func collect(_ sample: UnsafeRawBufferPointer) {
    let length = UInt32(truncatingIfNeeded: sample.count).littleEndian
    unsafe withUnsafeBytes(of: length) { unsafe collected.append(contentsOf: $0) }
    unsafe collected.append(contentsOf: sample)
  }

  /// Samples lost on each CPU since the last call.
  func takeLosses() -> [(cpu: UInt32, count: UInt64)] {
    var key = UInt32(PYROREC_COUNTER_LOST.rawValue)
    var values = [UInt64](repeating: 0, count: possibleCPUs)
    // Safe: a per-CPU value is one 8-byte number for each possible CPU.
    guard unsafe values.withUnsafeMutableBytes({ unsafe bpf_map_lookup_elem(counters, &key, $0.baseAddress) }) == 0 else { return [] }
    var found: [(UInt32, UInt64)] = []
    for cpu in 0..<possibleCPUs where values[cpu] > lostBefore[cpu] { found.append((UInt32(cpu), values[cpu] - lostBefore[cpu])) }
    lostBefore = values
    return found
  }

  func setTarget(_ pid: UInt32, _ state: pyrorec_target_state) throws(RecorderError) {
    var key = pid
    var value = state.rawValue
    guard unsafe bpf_map_update_elem(targets, &key, &value, 0) == 0 else { throw Self.refusal("adding process \(pid)") }
  }

  func removeTarget(_ pid: UInt32) {
    var key = pid
    _ = unsafe bpf_map_delete_elem(targets, &key)
  }

  /// A second of samples at half a kilobyte each, between 2 and 16 MiB, a power of two; from 8 MiB on where samples may carry
  /// their stacks.
  static func ringBytes(frequency: Int, cpus: Int, hasStackCopies: Bool) -> Int {
    let wanted = frequency.multipliedReportingOverflow(by: cpus * 512).partialValue
    var bytes = hasStackCopies ? 8 << 20 : 2 << 20
    while bytes < min(wanted, 16 << 20) { bytes *= 2 }
    return bytes
  }

  private static func refusal(_ operation: String) -> RecorderError {
    let code = errno
    let words = unsafe String(cString: pyrorec_libbpf_messages())
    return .refused(operation: operation, code: code, detail: words)
  }

  /// - Parameter typesPath: a file to relocate by; `nil` for all of the kernel's types.
  private static func open(_ image: [UInt8], typesPath: String?) -> OpaquePointer? {
    var options = unsafe bpf_object_open_opts()
    unsafe options.sz = MemoryLayout<bpf_object_open_opts>.size
    // Safe: libbpf copies what it is given.
    return unsafe "pyrorec".withCString { name in
      unsafe options.object_name = name
      func open() -> OpaquePointer? {
        unsafe image.withUnsafeBytes { unsafe bpf_object__open_mem($0.baseAddress, $0.count, &options) }
      }
      guard let typesPath else { return unsafe open() }
      return unsafe typesPath.withCString { path in
        unsafe options.btf_custom_path = path
        return unsafe open()
      }
    }
  }

  private static func embeddedObject() -> [UInt8] {
    func value(_ digit: UInt8) -> UInt8 { digit < 0x3a ? digit - 0x30 : digit - 0x61 + 10 }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(EmbeddedBPF.byteCount)
    EmbeddedBPF.hex.withUTF8Buffer { digits in
      for index in 0..<EmbeddedBPF.byteCount {
        bytes.append(unsafe value(digits[index * 2]) << 4 | value(digits[index * 2 + 1]))
      }
    }
    return bytes
  }
}
