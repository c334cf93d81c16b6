/// What call-frame instructions are executed into: each change of the address closes a row.
protocol RowReceiver: ~Copyable {
  /// The state holds from `address` on, up to the next one.
  mutating func row(at address: UInt64, _ state: FrameState)
  /// From `address` on the state is not known: an instruction is unknown, cut short, or nested too deep.
  mutating func unknown(at address: UInt64)
}

/// For the initial instructions, which have no addresses.
struct NoRows: RowReceiver {
  @inline(__always) mutating func row(at address: UInt64, _ state: FrameState) {}
  private(set) var isUnknown = false
  mutating func unknown(at address: UInt64) { isUnknown = true }
}

/// Executes call-frame instructions (DWARF 5, section 6.4.2, and the vendors' below `DW_CFA_lo_user`).
struct FrameProgram {
  /// `DW_CFA_remember_state`s within one another; compilers need 2.
  static let maximumDepth = 32

  private let bytes: FrameBytes
  private let bases: PointerEncoding.Bases
  private let framePointer: UInt64
  private let stackPointer: UInt64
  private let commonEntries: [CommonEntry]
  private var common: CommonEntry
  /// The place of `common` among the section's.
  private var commonIndex = -1
  private(set) var state: FrameState
  /// The state remembered last, and those before it: nearly all functions remember one at a time.
  private var remembered = FrameState()
  private var rememberedBefore: [FrameState] = []
  private var depth = 0

  /// - Parameter common: of the first function.
  init(section: CallFrameSection, common: CommonEntry) {
    commonEntries = section.commonEntries
    bytes = section.bytes
    bases = section.bases
    framePointer = UInt64(section.registers.framePointer)
    stackPointer = UInt64(section.registers.stackPointer)
    self.common = common
    state = common.initial
  }

  /// Begins another function.
  /// - Parameter index: of its common entry among the section's.
  @inline(__always) mutating func begin(_ index: Int) {
    if index != commonIndex {
      common = commonEntries[index]
      commonIndex = index
    }
    state = common.initial
    if depth != 0 {
      rememberedBefore.removeAll(keepingCapacity: true)
      depth = 0
    }
  }

  /// Executes the instructions of `[from, end)` for the addresses from `start` up to, without, `limit`.
  ///
  /// The last state is given out too.
  @inline(__always) mutating func run<Receiver: RowReceiver & ~Copyable>(
    from: Int, to end: Int, at start: UInt64, before limit: UInt64, into receiver: inout Receiver
  ) {
    var reader = bytes.reader(from: from, to: end)
    var address = start
    // A local of its own stays in registers; the fields of a value in memory are stored one by one and loaded together.
    var state = self.state
    defer { self.state = state }
    while !reader.isAtEnd {
      let code = reader.byte()
      let low = UInt64(code & 0x3f)
      let next: UInt64
      // What is frequent is asked for first, one by one: which comes next is foretold better than where a table jumps to.
      if code == 0x0e {  // DW_CFA_def_cfa_offset
        state.cfaOffset = Int64(truncatingIfNeeded: reader.uleb128())
        continue
      } else if code >= 0xc0 {  // DW_CFA_restore
        restore(&state, low)
        continue
      } else if code >= 0x80 {  // DW_CFA_offset
        save(&state, low, .atCFA, Int64(truncatingIfNeeded: reader.uleb128()) &* common.dataAlignment)
        continue
      } else if code >= 0x40 {  // DW_CFA_advance_loc
        next = address &+ low &* common.codeAlignment
      } else if code == 0 {  // DW_CFA_nop
        continue
      } else {
        switch code {
        case 0x02: next = address &+ UInt64(reader.byte()) &* common.codeAlignment  // DW_CFA_advance_loc1
        case 0x03: next = address &+ UInt64(reader.read(UInt16.self)) &* common.codeAlignment  // DW_CFA_advance_loc2
        case 0x04: next = address &+ UInt64(reader.read(UInt32.self)) &* common.codeAlignment  // DW_CFA_advance_loc4
        case 0x01:  // DW_CFA_set_loc
          guard
            let place = common.pointerEncoding.pointer(&reader, bases, addressByteCount: common.addressByteCount)
          else { return receiver.unknown(at: address) }
          next = place
        default:
          guard execute(code, &reader, &state) else { return receiver.unknown(at: address) }
          continue
        }
      }
      // An address that goes back, or on past the end, is no instruction of this function's.
      guard next >= address, !reader.overran else { return receiver.unknown(at: address) }
      if next == address { continue }
      receiver.row(at: address, state)
      if next >= limit { return }
      address = next
    }
    if reader.overran { return receiver.unknown(at: address) }
    receiver.row(at: address, state)
  }

  /// The instructions that change the state and are not the most frequent ones.
  @inline(__always) private mutating func execute(
    _ code: UInt8, _ reader: inout FrameReader, _ state: inout FrameState
  ) -> Bool {
    switch code {
    case 0x05:  // DW_CFA_offset_extended
      let register = reader.uleb128()
      save(&state, register, .atCFA, Int64(truncatingIfNeeded: reader.uleb128()) &* common.dataAlignment)
    case 0x06: restore(&state, reader.uleb128())  // DW_CFA_restore_extended
    case 0x07: save(&state, reader.uleb128(), .undefined, 0)  // DW_CFA_undefined
    case 0x08: save(&state, reader.uleb128(), .same, 0)  // DW_CFA_same_value
    case 0x09:  // DW_CFA_register
      let register = reader.uleb128()
      save(&state, register, .inRegister, Int64(truncatingIfNeeded: reader.uleb128()))
    case 0x0a:  // DW_CFA_remember_state
      guard depth < Self.maximumDepth else { return false }
      if depth > 0 { rememberedBefore.append(remembered) }
      depth &+= 1
      remembered = state
    case 0x0b:  // DW_CFA_restore_state
      guard depth > 0 else { return false }
      state = remembered
      depth &-= 1
      if depth > 0 { remembered = rememberedBefore.removeLast() }
    case 0x0c:  // DW_CFA_def_cfa
      let register = reader.uleb128()
      defineCFA(&state, register, Int64(truncatingIfNeeded: reader.uleb128()))
    case 0x0d:  // DW_CFA_def_cfa_register
      let register = reader.uleb128()
      defineCFA(&state, register, state.cfa == .register ? state.cfaOffset : 0)
    case 0x0f:  // DW_CFA_def_cfa_expression
      state.cfaOffset = expression(&reader)
      state.cfa = .expression
    case 0x10:  // DW_CFA_expression
      let register = reader.uleb128()
      save(&state, register, .atExpression, expression(&reader))
    case 0x11:  // DW_CFA_offset_extended_sf
      let register = reader.uleb128()
      save(&state, register, .atCFA, reader.sleb128() &* common.dataAlignment)
    case 0x12:  // DW_CFA_def_cfa_sf
      let register = reader.uleb128()
      defineCFA(&state, register, reader.sleb128() &* common.dataAlignment)
    case 0x13: state.cfaOffset = reader.sleb128() &* common.dataAlignment  // DW_CFA_def_cfa_offset_sf
    case 0x14, 0x15:  // DW_CFA_val_offset, DW_CFA_val_offset_sf
      save(&state, reader.uleb128(), .computed, 0)
      _ = reader.uleb128()
    case 0x16:  // DW_CFA_val_expression
      save(&state, reader.uleb128(), .computed, 0)
      _ = expression(&reader)
    case 0x2c, 0x2d: break  // DW_CFA_AARCH64_negate_ra_state(_with_pc); DW_CFA_GNU_window_save elsewhere
    case 0x2e: _ = reader.uleb128()  // DW_CFA_GNU_args_size
    case 0x2f:  // DW_CFA_GNU_negative_offset_extended
      let register = reader.uleb128()
      save(&state, register, .atCFA, 0 &- (Int64(truncatingIfNeeded: reader.uleb128()) &* common.dataAlignment))
    default: return false
    }
    return true
  }

  @inline(__always) private func save(
    _ state: inout FrameState, _ register: UInt64, _ kind: FrameState.Kind, _ value: Int64
  ) {
    if register == framePointer {
      state.framePointer = FrameState.Saved(kind: kind, value: value)
    } else if register == common.returnAddressColumn {
      state.returnAddress = FrameState.Saved(kind: kind, value: value)
    } else if register == stackPointer {
      state.stackPointerIn = kind == .inRegister ? UInt8(clamping: value) : nil
    }
  }

  @inline(__always) private func restore(_ state: inout FrameState, _ register: UInt64) {
    if register == framePointer {
      state.framePointer = common.initial.framePointer
    } else if register == common.returnAddressColumn {
      state.returnAddress = common.initial.returnAddress
    } else if register == stackPointer {
      state.stackPointerIn = common.initial.stackPointerIn
    }
  }

  @inline(__always) private func defineCFA(_ state: inout FrameState, _ register: UInt64, _ offset: Int64) {
    state.cfa = .register
    state.cfaRegister = UInt32(clamping: register)
    state.cfaOffset = offset
  }

  private func expression(_ reader: inout FrameReader) -> Int64 {
    let byteCount = reader.uleb128()
    let from = reader.position
    reader.skip(byteCount)
    return ExpressionPlace.pack(from: from, to: reader.position)
  }
}
