import ObjectFile

/// Rows of a Go function from its "pcsp" program: pairs of how the distance changes, and for how many instruction units
/// (Go's `src/runtime/symtab.go`, `step`).
extension GoFunctionTable {
  func run(_ block: CodeBlock, before limit: UInt64, code: CodeImage, into writer: inout RowWriter) {
    let growsStack = block.common == FunctionKind.growsStack.rawValue
    let switchesStack = growsStack || block.common == FunctionKind.switchesStack.rawValue
    if switchesStack, machine == .aarch64 || !savesFramePointer(block, limit, code) {
      let onX86 = growsStack ? RuleNumber.grewStack : RuleNumber.switchedStack
      return writer.put(block.start, machine == .aarch64 ? RuleNumber.framePointer : onX86)
    }
    var steps = GoSteps(bytes.reader(from: Int(block.from), to: bytes.count), start: block.start, quantum: quantum)
    let child = block.common == FunctionKind.startsThread.rawValue ? childStart(block, limit, code) : nil
    defer { if let child { writer.put(child, RuleNumber.stop) } }
    let limit = child ?? limit
    /// Bytes from the CFA to where this function keeps its caller's frame pointer, once it does.
    var saved: Int32?
    var last: Int32 = 0
    while let step = steps.next() {
      guard step.value >= 0 else { return writer.put(step.start, RuleNumber.unsupported) }
      if machine == .aarch64 {
        writer.put(step.start, writer.number(of: Self.aarch64Rule(step.value)))
      } else {
        if last == 0, step.value > 0, saved == nil, let place = Self.place(ofSaveAt: step, code) {
          saved = place.offset
          if place.address > step.start { writer.put(step.start, writer.number(of: Self.x86Rule(step.value, nil))) }
          // The next instruction points the frame pointer to where it was saved.
          if switchesStack { return writer.put(place.address &+ place.setByteCount, RuleNumber.framePointer) }
          if place.address < min(limit, step.end) {
            writer.put(place.address, writer.number(of: Self.x86Rule(step.value, saved)))
          }
        } else {
          writer.put(step.start, writer.number(of: Self.x86Rule(step.value, step.value > 0 ? saved : nil)))
        }
      }
      last = step.value
      if step.end >= limit { return }
    }
  }

  /// Where the child of a `clone` goes on: behind the first return, which is the parent's. `nil` when there is none.
  private func childStart(_ block: CodeBlock, _ limit: UInt64, _ code: CodeImage) -> UInt64? {
    var address = block.start
    while address < limit {
      if machine == .aarch64 {
        address = address &+ 4
        if code.load(address &- 4, as: UInt32.self) == 0xd65f_03c0 { return address < limit ? address : nil }  // ret
      } else {
        guard let offset = code.offset(of: address), let rest = Int(exactly: limit &- address) else { return nil }
        var reader = code.bytes.reader(from: offset, to: offset &+ rest)
        guard let instruction = X86Instruction(&reader) else { return nil }
        address = address &+ UInt64(instruction.byteCount)
        if instruction.effect == .end { return address < limit ? address : nil }
      }
    }
    return nil
  }

  private func savesFramePointer(_ block: CodeBlock, _ limit: UInt64, _ code: CodeImage) -> Bool {
    var steps = GoSteps(bytes.reader(from: Int(block.from), to: bytes.count), start: block.start, quantum: quantum)
    while let step = steps.next(), step.start < limit {
      if step.value > 0 { return Self.place(ofSaveAt: step, code) != nil }
    }
    return false
  }

  /// Where the prologue saves the frame pointer: from which address on, where from the CFA, and how long the instruction after
  /// it is, which sets it.
  private static func place(
    ofSaveAt step: GoSteps.Step, _ code: CodeImage
  ) -> (address: UInt64, offset: Int32, setByteCount: UInt64)? {
    let at = step.start
    // push %rbp, which is what moved the stack pointer
    if step.value == 8, code.load(at &- 1, as: UInt8.self) == 0x55 { return (at, -16, 3) }
    // mov %rbp, displacement(%rsp), after the subtraction
    let bytes = code.load(at, as: UInt32.self)
    if bytes == 0x246c_8948 {
      return (at &+ 5, Int32(Int8(bitPattern: code.load(at &+ 4, as: UInt8.self))) &- step.value &- 8, 5)
    }
    if bytes == 0x24ac_8948 {
      return (at &+ 8, Int32(bitPattern: code.load(at &+ 4, as: UInt32.self)) &- step.value &- 8, 8)
    }
    // mov %rbp, (%rsp), where nothing else is kept
    if bytes == 0x242c_8948 { return (at &+ 4, 0 &- step.value &- 8, 4) }
    // A copy of the file without its code: as the compiler does it, with displacements of 8 bits.
    if bytes == 0, code.load(at &- 4, as: UInt32.self) == 0 { return (at &+ 5, -16, 5) }
    return nil
  }

  /// - Parameter saved: where the caller's frame pointer is, from the CFA; `nil` while it is in its register.
  private static func x86Rule(_ distance: Int32, _ saved: Int32?) -> UnwindRule {
    var rule = UnwindRule()
    rule.cfaRegister = RuleCode.sp
    rule.cfaOffset = distance &+ 8
    rule.raKind = RuleCode.atCFA
    rule.raOffset = -8
    if let saved {
      rule.fpKind = RuleCode.atCFA
      rule.fpOffset = saved
    }
    return rule
  }

  /// The link register is kept where the stack pointer points, the frame pointer below it.
  private static func aarch64Rule(_ distance: Int32) -> UnwindRule {
    var rule = UnwindRule()
    rule.cfaRegister = RuleCode.sp
    rule.cfaOffset = distance
    if distance == 0 {
      rule.raKind = RuleCode.inRegister
      rule.raRegister = RuleCode.lr
      rule.flags = RuleCode.leafOnly
    } else {
      rule.raKind = RuleCode.atCFA
      rule.raOffset = 0 &- distance
      rule.fpKind = RuleCode.atCFA
      rule.fpOffset = 0 &- distance &- 8
    }
    return rule
  }
}

/// The steps of a program: `[start, end)` and the distance in bytes that the stack pointer is below its value at entry.
struct GoSteps {
  struct Step {
    var start: UInt64
    var end: UInt64
    var value: Int32
  }
  private var reader: FrameReader
  private var address: UInt64
  private let quantum: UInt64
  private var value: Int32 = -1
  private var isFirst = true

  init(_ reader: FrameReader, start: UInt64, quantum: UInt64) {
    self.reader = reader
    address = start
    self.quantum = quantum
  }

  mutating func next() -> Step? {
    let change = UInt32(truncatingIfNeeded: reader.uleb128())
    if change == 0, !isFirst { return nil }
    isFirst = false
    value &+= Int32(bitPattern: change >> 1) ^ (0 &- Int32(bitPattern: change & 1))
    let units = UInt64(UInt32(truncatingIfNeeded: reader.uleb128()))
    // A step without an instruction would go on for ever over nothing.
    guard !reader.overran, units > 0 else { return nil }
    let start = address
    address = address &+ units &* quantum
    guard address > start else { return nil }
    return Step(start: start, end: address, value: value)
  }
}
