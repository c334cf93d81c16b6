/// Writes chunks in the layout of async-profiler: metadata first, one checkpoint at the end, sizes of five bytes.
package struct JFRBuilder {
  package struct Field {
    package var name: String
    package var type: Int
    package var isPooled = false
    package var isArray = false
    package init(_ name: String, _ type: Int, pooled: Bool = false, array: Bool = false) {
      self.name = name
      self.type = type
      isPooled = pooled
      isArray = array
    }
  }
  /// Ids of what every chunk here has.
  package enum TypeID {
    package static let boolean = 4, int = 7, long = 8, string = 20, type = 21, thread = 22, symbol = 23
    package static let stack = 26, frame = 27, method = 28, frameType = 24, state = 25
    package static let execution = 101, enter = 104, setting = 108, recording = 107, wall = 118, malloc = 119, free = 120
  }

  package var ticksPerSecond: UInt64 = 1_000_000_000
  package var startTicks: UInt64 = 1000
  package var startNanoseconds: UInt64 = 1_700_000_000_000_000_000
  package var durationNanoseconds: UInt64 = 1_000_000_000
  package private(set) var events: [UInt8] = []
  private var symbols: [String] = []
  private var methods: [(type: String, name: String)] = []
  private var stacks: [(frames: [(method: Int, line: Int, type: Int)], isTruncated: Bool)] = []
  private let isCompressed: Bool
  private let isJDK: Bool

  /// - Parameter jdk: without async-profiler's own types.
  package init(compressed: Bool = true, jdk: Bool = false) {
    isCompressed = compressed
    isJDK = jdk
  }

  // MARK: Numbers

  private func fixed(_ value: UInt64, _ width: Int) -> [UInt8] {
    (0..<width).reversed().map { UInt8(truncatingIfNeeded: value >> UInt64($0 * 8)) }
  }
  private func integer(_ value: Int64, _ width: Int = 8) -> [UInt8] {
    let image = width == 4 ? UInt64(UInt32(truncatingIfNeeded: value)) : UInt64(bitPattern: value)
    guard isCompressed else { return fixed(image, width) }
    var rest = image
    var bytes: [UInt8] = []
    while bytes.count < 8, rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    return bytes + [UInt8(truncatingIfNeeded: rest)]
  }
  private func int(_ value: Int) -> [UInt8] { integer(Int64(value), 4) }
  private func long(_ value: Int) -> [UInt8] { integer(Int64(value), 8) }
  private func text(_ text: String) -> [UInt8] { [3] + int(text.utf8.count) + Array(text.utf8) }
  private func sized(_ body: [UInt8]) -> [UInt8] {
    guard isCompressed else { return fixed(UInt64(body.count + 4), 4) + body }
    var size = body.count + 5
    var bytes: [UInt8] = []
    for _ in 0..<4 {
      bytes.append(UInt8(size & 0x7f) | 0x80)
      size >>= 7
    }
    return bytes + [UInt8(size)] + body
  }

  // MARK: Constants

  private mutating func symbol(_ name: String) -> Int {
    if let known = symbols.firstIndex(of: name) { return known + 1 }
    symbols.append(name)
    return symbols.count
  }

  /// - Parameters:
  ///   - frames: leaf first: class, method, line, and 1 for compiled code, 5 for the kernel.
  package mutating func stack(_ frames: [(String, String, Int, Int)], truncated: Bool = false) -> Int {
    let all = frames.map { frame in
      if let known = methods.firstIndex(where: { $0.type == frame.0 && $0.name == frame.1 }) { return (known + 1, frame.2, frame.3) }
      methods.append((frame.0, frame.1))
      return (methods.count, frame.2, frame.3)
    }
    stacks.append((all, truncated))
    return stacks.count
  }

  // MARK: Events

  /// State: 1 default (a CPU timer), 2 runnable, 3 sleeping.
  package mutating func execution(stack: Int, state: Int, ticks: Int = 2000) {
    events += sized(long(TypeID.execution) + long(ticks) + long(1) + long(stack) + long(state))
  }
  package mutating func wall(stack: Int, state: Int, samples: Int) {
    events += sized(long(TypeID.wall) + long(2000) + long(1) + long(stack) + long(state) + int(samples))
  }
  package mutating func enter(stack: Int, durationTicks: Int) {
    events += sized(long(TypeID.enter) + long(2000) + long(durationTicks) + long(1) + long(stack))
  }
  package mutating func malloc(stack: Int, address: Int, size: Int, ticks: Int) {
    events += sized(long(TypeID.malloc) + long(ticks) + long(1) + long(stack) + long(address) + long(size))
  }
  package mutating func free(address: Int, ticks: Int) {
    events += sized(long(TypeID.free) + long(ticks) + long(1) + long(0) + long(address))
  }
  package mutating func setting(_ type: Int, _ name: String, _ value: String) {
    events += sized(long(TypeID.setting) + long(2000) + long(type) + text(name) + text(value))
  }
  package mutating func unknown() { events += sized(long(999) + [1, 2, 3]) }

  // MARK: The chunk

  package mutating func chunk() -> [UInt8] {
    let metadata = self.metadata()
    let checkpoint = self.checkpoint()
    let checkpointOffset = 68 + metadata.count + events.count
    let size = checkpointOffset + checkpoint.count
    var header: [UInt8] = Array("FLR\0".utf8) + [0, 2, 0, 0]
    for value in [UInt64(size), UInt64(checkpointOffset), 68, startNanoseconds, durationNanoseconds, startTicks, ticksPerSecond] {
      header += fixed(value, 8)
    }
    header += [0, 0, 0, isCompressed ? 1 : 0]
    return header + metadata + events + checkpoint
  }

  private mutating func checkpoint() -> [UInt8] {
    var body = long(1) + long(0) + long(0) + long(0) + [0]
    let classes = Array(Set(methods.map(\.type))).sorted()
    var pools: [[UInt8]] = []
    pools.append(long(TypeID.frameType) + int(2) + long(1) + text("JIT compiled") + long(5) + text("Kernel"))
    pools.append(
      long(TypeID.state) + int(3) + long(1) + text("STATE_DEFAULT") + long(2) + text("STATE_RUNNABLE") + long(3) + text("STATE_SLEEPING"))
    pools.append(long(TypeID.thread) + int(1) + long(1) + text("main-1") + long(77) + text("main-1") + long(1))
    var stackPool = long(TypeID.stack) + int(stacks.count)
    for (index, stack) in stacks.enumerated() {
      stackPool += long(index + 1) + [stack.isTruncated ? 1 : 0] + int(stack.frames.count)
      for frame in stack.frames { stackPool += long(frame.method) + int(frame.line) + int(0) + long(frame.type) }
    }
    pools.append(stackPool)
    var methodPool = long(TypeID.method) + int(methods.count)
    for (index, method) in methods.enumerated() {
      methodPool += long(index + 1) + long((classes.firstIndex(of: method.type) ?? 0) + 1) + long(symbol(method.name))
    }
    pools.append(methodPool)
    var classPool = long(TypeID.type) + int(classes.count)
    for (index, name) in classes.enumerated() { classPool += long(index + 1) + long(symbol(name)) }
    pools.append(classPool)
    var symbolPool = long(TypeID.symbol) + int(symbols.count)
    for (index, name) in symbols.enumerated() { symbolPool += long(index + 1) + text(name) }
    pools.append(symbolPool)
    body += int(pools.count)
    for pool in pools { body += pool }
    return sized(body)
  }

  private func metadata() -> [UInt8] {
    var strings: [String] = []
    func index(_ text: String) -> [UInt8] {
      if let known = strings.firstIndex(of: text) { return int(known) }
      strings.append(text)
      return int(strings.count - 1)
    }
    func element(_ name: String, _ attributes: [(String, String)], _ children: [[UInt8]]) -> [UInt8] {
      var bytes = index(name) + int(attributes.count)
      for (key, value) in attributes { bytes += index(key) + index(value) }
      return bytes + int(children.count) + children.flatMap { $0 }
    }
    func type(_ id: Int, _ name: String, _ fields: [Field]) -> [UInt8] {
      element(
        "class", [("id", "\(id)"), ("name", name)],
        fields.map { field in
          var attributes = [("name", field.name), ("class", "\(field.type)")]
          if field.isPooled { attributes.append(("constantPool", "true")) }
          if field.isArray { attributes.append(("dimension", "1")) }
          return element("field", attributes, [])
        })
    }
    typealias ID = TypeID
    let time = Field("startTime", ID.long)
    let thread = Field("eventThread", ID.thread, pooled: true)
    let sampled = Field("sampledThread", ID.thread, pooled: true)
    let stack = Field("stackTrace", ID.stack, pooled: true)
    let state = Field("state", ID.state, pooled: true)
    let types = [
      type(ID.boolean, "boolean", []), type(ID.int, "int", []), type(ID.long, "long", []),
      type(ID.string, "java.lang.String", []),
      type(ID.type, "java.lang.Class", [Field("name", ID.symbol, pooled: true)]),
      type(
        ID.thread, "java.lang.Thread",
        [Field("osName", ID.string), Field("osThreadId", ID.long), Field("javaName", ID.string), Field("javaThreadId", ID.long)]),
      type(ID.symbol, "jdk.types.Symbol", [Field("string", ID.string)]),
      type(ID.frameType, "jdk.types.FrameType", [Field("description", ID.string)]),
      type(ID.state, "jdk.types.ThreadState", [Field("name", ID.string)]),
      type(ID.stack, "jdk.types.StackTrace", [Field("truncated", ID.boolean), Field("frames", ID.frame, array: true)]),
      type(
        ID.frame, "jdk.types.StackFrame",
        [
          Field("method", ID.method, pooled: true), Field("lineNumber", ID.int), Field("bytecodeIndex", ID.int),
          Field("type", ID.frameType, pooled: true),
        ]),
      type(ID.method, "jdk.types.Method", [Field("type", ID.type, pooled: true), Field("name", ID.symbol, pooled: true)]),
      type(ID.execution, "jdk.ExecutionSample", [time, sampled, stack, state]),
      type(ID.enter, "jdk.JavaMonitorEnter", [time, Field("duration", ID.long), thread, stack]),
      type(ID.setting, "jdk.ActiveSetting", [time, Field("id", ID.long), Field("name", ID.string), Field("value", ID.string)]),
      type(ID.recording, "jdk.ActiveRecording", [time]),
      type(ID.wall, "profiler.WallClockSample", [time, sampled, stack, state, Field("samples", ID.int)]),
      type(ID.malloc, "profiler.Malloc", [time, thread, stack, Field("address", ID.long), Field("size", ID.long)]),
      type(ID.free, "profiler.Free", [time, thread, stack, Field("address", ID.long)]),
    ]
    // async-profiler's own come last.
    let tree = element("root", [], [element("metadata", [], Array(types.dropLast(isJDK ? 3 : 0))), element("region", [], [])])
    return sized(long(0) + long(0) + long(0) + long(1) + int(strings.count) + strings.flatMap { text($0) } + tree)
  }
}
