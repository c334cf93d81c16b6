/// Turns the state of the registers into a rule, or into the number of one that says everything by itself.
struct RuleMaker: Sendable {
  enum Outcome {
    case number(UInt16)
    case rule(UnwindRule)
    /// The stubs of a procedure linkage table (`StubRows.put`).
    case stubs(threshold: UInt8)
  }
  /// Below the stack pointer a signal handler may have written over what was saved (psABI x86-64, section 3.2.2; none on aarch64).
  private static let redZoneByteCount: Int64 = 128

  let registers: RegisterNames
  let bytes: FrameBytes

  @inline(__always) func outcome(_ state: FrameState) -> Outcome {
    if state.returnAddress.kind == .undefined { return .number(RuleNumber.stop) }
    var rule = UnwindRule()
    switch state.cfa {
    case _ where state.stackPointerIn != nil:
      // The caller's stack pointer is no CFA; what lies at the CFA cannot be said then.
      guard let register = state.stackPointerIn, set(&rule, UInt64(register), 0), state.returnAddress.kind == .inRegister,
        state.framePointer.kind != .atCFA
      else { return .number(RuleNumber.unsupported) }
    case .register:
      guard let offset = Int32(exactly: state.cfaOffset) else { return .number(RuleNumber.unsupported) }
      rule.cfaOffset = offset
      if state.cfaRegister == registers.stackPointer {
        rule.cfaRegister = RuleCode.sp
      } else if state.cfaRegister == registers.framePointer {
        rule.cfaRegister = RuleCode.fp
      } else {
        guard let (code, isLeafOnly) = registers.code(UInt64(state.cfaRegister)) else { return .number(RuleNumber.unsupported) }
        rule.cfaRegister = code
        if isLeafOnly { rule.flags = RuleCode.leafOnly }
      }
    case .expression:
      switch FrameExpression(state.cfaOffset, bytes) {
      case .plt(let threshold): return .stubs(threshold: threshold)
      case .register(let register, let offset):
        guard set(&rule, register, offset) else { return .number(RuleNumber.unsupported) }
      case .deref(let register, let offset, let add):
        guard set(&rule, register, offset), let add = Int32(exactly: add) else { return .number(RuleNumber.unsupported) }
        rule.cfaKind = RuleCode.cfaDeref
        rule.cfaAdd = add
      case .derefIndexed(let register, let index, let offset, let add):
        guard set(&rule, register, offset), let (code, _) = registers.code(index), let add = Int32(exactly: add) else {
          return .number(RuleNumber.unsupported)
        }
        rule.cfaKind = RuleCode.cfaDerefIndexed
        rule.cfaIndex = code
        rule.cfaAdd = add
        rule.flags |= RuleCode.leafOnly
      case .other: return .number(RuleNumber.unsupported)
      }
    case .undefined: return .number(RuleNumber.unsupported)
    }

    switch state.returnAddress.kind {
    case .atCFA:
      guard let offset = Int32(exactly: state.returnAddress.value) else { return .number(RuleNumber.unsupported) }
      // What calls push is gone already: a new thread before its first function.
      if registers.link == nil, rule.cfaRegister == RuleCode.sp, rule.cfaKind == RuleCode.cfaRegister, rule.cfaOffset &+ offset < 0 {
        return .number(RuleNumber.stop)
      }
      rule.raKind = RuleCode.atCFA
      rule.raOffset = offset
    case .same:
      guard registers.link != nil else { return .number(RuleNumber.unsupported) }
      rule.raKind = RuleCode.inRegister
      rule.raRegister = RuleCode.lr
      rule.flags |= RuleCode.leafOnly
    case .inRegister:
      guard let (code, isLeafOnly) = registers.code(UInt64(bitPattern: state.returnAddress.value)) else {
        return .number(RuleNumber.unsupported)
      }
      rule.raKind = RuleCode.inRegister
      rule.raRegister = code
      if isLeafOnly { rule.flags |= RuleCode.leafOnly }
    case .undefined, .computed, .atExpression: return .number(RuleNumber.unsupported)
    }
    setFramePointer(&rule, state)
    return .rule(rule)
  }

  @inline(__always) private func set(_ rule: inout UnwindRule, _ register: UInt64, _ offset: Int64) -> Bool {
    guard let (code, isLeafOnly) = registers.code(register), let offset = Int32(exactly: offset) else { return false }
    rule.cfaRegister = code
    rule.cfaOffset = offset
    if isLeafOnly { rule.flags |= RuleCode.leafOnly }
    return true
  }

  /// A frame pointer that cannot be found does not spoil the rule: it is unknown from there on.
  @inline(__always) private func setFramePointer(_ rule: inout UnwindRule, _ state: FrameState) {
    switch state.framePointer.kind {
    case .same: return
    case .atCFA:
      guard let offset = Int32(exactly: state.framePointer.value) else { break }
      if rule.cfaRegister == RuleCode.sp, rule.cfaKind == RuleCode.cfaRegister,
        Int64(rule.cfaOffset) &+ Int64(offset) < -Self.redZoneByteCount
      {
        return
      }
      rule.fpKind = RuleCode.atCFA
      rule.fpOffset = offset
      return
    case .inRegister:
      guard let (code, isLeafOnly) = registers.code(UInt64(bitPattern: state.framePointer.value)) else { break }
      rule.fpKind = RuleCode.inRegister
      rule.fpRegister = code
      if isLeafOnly { rule.flags |= RuleCode.leafOnly }
      return
    case .atExpression:
      guard case .register(let register, let offset) = FrameExpression(state.framePointer.value, bytes),
        let (code, isLeafOnly) = registers.code(register), let offset = Int32(exactly: offset)
      else { break }
      rule.fpKind = RuleCode.atRegister
      rule.fpRegister = code
      rule.fpOffset = offset
      if isLeafOnly { rule.flags |= RuleCode.leafOnly }
      return
    case .undefined, .computed: break
    }
    rule.fpKind = RuleCode.undefined
  }
}
