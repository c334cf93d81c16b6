import JFR

/// Turns a chunk's keys into stacks, threads and states of the whole recording; each is decoded when first met.
struct ChunkNames {
  /// The types of constants that are needed, in the order of `Pool`.
  static let pools = [
    "jdk.types.StackTrace", "jdk.types.Method", "java.lang.Class", "jdk.types.Symbol", "java.lang.Thread",
    "jdk.types.ThreadState", "jdk.types.FrameType",
  ]
  enum Pool {
    static let stack = 0
    static let method = 1
    static let type = 2
    static let symbol = 3
    static let thread = 4
    static let state = 5
    static let frameType = 6
  }

  private let stackPlan: RecordPlan
  private let framePlan: RecordPlan
  private let methodPlan: RecordPlan
  private let classPlan: RecordPlan
  private let symbolPlan: RecordPlan
  private let threadPlan: RecordPlan
  private let statePlan: RecordPlan
  private let frameTypePlan: RecordPlan
  /// By a constant's number; -1 for those not met yet.
  private var methodNames: [Int64]
  private var kernelFrameType: Int64?
  private var slots = [Int64](repeating: 0, count: 8)

  init(_ chunk: borrowing Chunk) {
    stackPlan = chunk.plan(Self.pools[Pool.stack], fields: ["truncated", "frames"])
    framePlan = chunk.plan(elementsOf: "frames", of: Self.pools[Pool.stack], fields: ["method", "lineNumber", "type"])
    methodPlan = chunk.plan(Self.pools[Pool.method], fields: ["type", "name"])
    classPlan = chunk.plan(Self.pools[Pool.type], fields: ["name"])
    symbolPlan = chunk.plan(Self.pools[Pool.symbol], fields: ["string"])
    threadPlan = chunk.plan(Self.pools[Pool.thread], fields: ["osName", "osThreadId", "javaName", "javaThreadId"])
    statePlan = chunk.plan(Self.pools[Pool.state], fields: ["name"])
    frameTypePlan = chunk.plan(Self.pools[Pool.frameType], fields: ["description"])
    methodNames = Array(repeating: -1, count: chunk.count(pool: Pool.method))
    for key in Int64(0)..<16 where text(key, Pool.frameType, frameTypePlan, chunk) == Array("Kernel".utf8) {
      kernelFrameType = key
    }
  }

  // MARK: Stacks

  /// The stack `number` of the chunk as one of `table`.
  mutating func stack(_ number: Int, _ chunk: borrowing Chunk, _ table: inout StackTable) -> UInt32 {
    clear()
    var frames: [UInt32] = []
    guard chunk.read(pool: Pool.stack, number: number, stackPlan, &slots) else { return Self.none(&table) }
    let isTruncated = slots[0] != 0
    var elements: [(method: Int64, line: Int64, type: Int64)] = []
    let place = slots[1]
    clear()
    chunk.forEachElement(at: place, framePlan, &slots) { elements.append(($0[0], $0[1], $0[2])) }
    frames.reserveCapacity(elements.count + 1)
    for element in elements {
      let name = methodName(element.method, chunk, &table)
      frames.append(table.frame(name: name, line: element.line, isKernel: element.type == kernelFrameType))
    }
    if isTruncated { frames.append(Self.marker("[truncated]", &table)) }
    return frames.isEmpty ? Self.none(&table) : table.stack(frames)
  }

  /// What stands for a sample that came without a stack, so that totals hold.
  static func none(_ table: inout StackTable) -> UInt32 { table.stack([marker("[no stack]", &table)]) }

  private static func marker(_ text: String, _ table: inout StackTable) -> UInt32 {
    table.frame(name: table.name(Array(text.utf8)), line: 0, isKernel: false)
  }

  private mutating func methodName(_ key: Int64, _ chunk: borrowing Chunk, _ table: inout StackTable) -> UInt32 {
    guard let number = chunk.number(of: key, pool: Pool.method) else { return table.name(Array("[unknown method]".utf8)) }
    if methodNames[number] >= 0 { return UInt32(truncatingIfNeeded: methodNames[number]) }
    clear()
    var text: [UInt8] = []
    if chunk.read(pool: Pool.method, number: number, methodPlan, &slots) {
      let (type, name) = (slots[0], slots[1])
      text = GeneratedNames.folded(className(type, chunk))
      let method = symbol(name, chunk)
      if !text.isEmpty, !method.isEmpty { text.append(UInt8(ascii: ".")) }
      text += method
    }
    let name = table.name(text.isEmpty ? Array("[unknown method]".utf8) : text)
    methodNames[number] = Int64(name)
    return name
  }

  private mutating func className(_ key: Int64, _ chunk: borrowing Chunk) -> [UInt8] {
    guard let number = chunk.number(of: key, pool: Pool.type) else { return [] }
    clear()
    guard chunk.read(pool: Pool.type, number: number, classPlan, &slots) else { return [] }
    return symbol(slots[0], chunk)
  }

  private mutating func symbol(_ key: Int64, _ chunk: borrowing Chunk) -> [UInt8] { text(key, Pool.symbol, symbolPlan, chunk) }

  // MARK: Threads and states

  /// `STATE_RUNNABLE`; empty when there is none.
  mutating func state(_ key: Int64, _ chunk: borrowing Chunk) -> [UInt8] { text(key, Pool.state, statePlan, chunk) }

  mutating func thread(_ key: Int64, _ detail: ThreadDetail, _ chunk: borrowing Chunk) -> [UInt8] {
    guard let number = chunk.number(of: key, pool: Pool.thread) else { return Array("[unknown]".utf8) }
    clear()
    guard chunk.read(pool: Pool.thread, number: number, threadPlan, &slots) else { return Array("[unknown]".utf8) }
    let (osName, osThread, javaName, javaThread) = (slots[0], slots[1], slots[2], slots[3])
    if detail == .id { return Array("\(osThread > 0 ? osThread : javaThread)".utf8) }
    var name = chunk.text(at: javaName)
    if name.isEmpty { name = chunk.text(at: osName) }
    if name.isEmpty { name = Array("[tid=\(osThread)]".utf8) }
    return detail == .pool ? Self.withoutDigits(name) : name
  }

  /// `pool-*-thread-*`
  static func withoutDigits(_ name: [UInt8]) -> [UInt8] {
    var short: [UInt8] = []
    var inDigits = false
    for byte in name {
      let isDigit = byte >= 0x30 && byte <= 0x39
      if !isDigit { short.append(byte) } else if !inDigits { short.append(UInt8(ascii: "*")) }
      inDigits = isDigit
    }
    return short
  }

  private mutating func text(_ key: Int64, _ pool: Int, _ plan: RecordPlan, _ chunk: borrowing Chunk) -> [UInt8] {
    guard let number = chunk.number(of: key, pool: pool) else { return [] }
    clear()
    return chunk.read(pool: pool, number: number, plan, &slots) ? chunk.text(at: slots[0]) : []
  }

  /// Slots of fields that a type does not have are left alone by plans.
  private mutating func clear() { for slot in slots.indices { slots[slot] = 0 } }
}
