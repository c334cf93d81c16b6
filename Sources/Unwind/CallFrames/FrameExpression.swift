/// The shapes of DWARF expressions (DWARF 5, section 2.5) that compilers, linkers and assembly write in call frames.
enum FrameExpression: Equatable {
  /// sp + 8, and 8 more from byte `threshold` of a 16-byte stub on.
  case plt(threshold: UInt8)
  /// register + offset
  case register(UInt64, Int64)
  /// *(register + offset) + add
  case deref(UInt64, Int64, add: Int64)
  /// *(register + 8 * index + offset) + add
  case derefIndexed(UInt64, index: UInt64, Int64, add: Int64)
  case other

  /// - Parameter place: where it stands in `bytes` (`ExpressionPlace`).
  init(_ place: Int64, _ bytes: FrameBytes) {
    var reader = bytes.reader(from: ExpressionPlace.from(place), to: ExpressionPlace.end(place))
    self = Self.parse(&reader)
    if reader.overran { self = .other }
  }

  private enum Code {
    static let deref: UInt8 = 0x06
    static let and: UInt8 = 0x1a
    static let multiply: UInt8 = 0x1e
    static let plus: UInt8 = 0x22
    static let plusConstant: UInt8 = 0x23
    static let shiftLeft: UInt8 = 0x24
    static let greaterOrEqual: UInt8 = 0x2a
    static let literal0: UInt8 = 0x30
    static let register0: UInt8 = 0x70
    static let registerX: UInt8 = 0x92
    static let constant1: UInt8 = 0x08
  }

  private static func parse(_ reader: inout FrameReader) -> Self {
    guard let (register, offset) = base(&reader) else { return .other }
    if reader.isAtEnd { return .register(register, offset) }
    let next = reader.byte()
    switch next {
    case Code.deref:
      if reader.isAtEnd { return .deref(register, offset, add: 0) }
      guard let add = constant(&reader), reader.isAtEnd else { return .other }
      return .deref(register, offset, add: add)
    case Code.plusConstant:
      guard let add = Int64(exactly: reader.uleb128()) else { return .other }
      let sum = offset.addingReportingOverflow(add)
      guard !sum.overflow else { return .other }
      if reader.isAtEnd { return .register(register, sum.partialValue) }
      guard reader.byte() == Code.deref else { return .other }
      if reader.isAtEnd { return .deref(register, sum.partialValue, add: 0) }
      guard let more = constant(&reader), reader.isAtEnd else { return .other }
      return .deref(register, sum.partialValue, add: more)
    case Code.register0 + 16:  // rip
      return register == 7 && offset == 8 ? plt(&reader) : .other
    case Code.register0..<(Code.register0 + 32):
      guard reader.sleb128() == 0, reader.byte() == Code.literal0 + 8, reader.byte() == Code.multiply,
        reader.byte() == Code.plus, reader.byte() == Code.deref, let add = constant(&reader), reader.isAtEnd
      else { return .other }
      return .derefIndexed(register, index: UInt64(next - Code.register0), offset, add: add)
    default: return .other
    }
  }

  /// The stub of a procedure linkage table, as ld and lld write it: sp + 8 + ((rip & 15) >= threshold) << 3.
  private static func plt(_ reader: inout FrameReader) -> Self {
    guard reader.sleb128() == 0, reader.byte() == Code.literal0 + 15, reader.byte() == Code.and else { return .other }
    let threshold = reader.byte() &- Code.literal0
    guard (1...15).contains(threshold), reader.byte() == Code.greaterOrEqual, reader.byte() == Code.literal0 + 3,
      reader.byte() == Code.shiftLeft, reader.byte() == Code.plus, reader.isAtEnd
    else { return .other }
    return .plt(threshold: threshold)
  }

  /// `DW_OP_breg0` … `DW_OP_breg31`, `DW_OP_bregx`.
  private static func base(_ reader: inout FrameReader) -> (UInt64, Int64)? {
    let code = reader.byte()
    if code >= Code.register0, code < Code.register0 + 32 { return (UInt64(code - Code.register0), reader.sleb128()) }
    guard code == Code.registerX else { return nil }
    let register = reader.uleb128()
    return (register, reader.sleb128())
  }

  /// `DW_OP_plus_uconst` n, or `DW_OP_lit`n or `DW_OP_const1u` n and `DW_OP_plus`.
  private static func constant(_ reader: inout FrameReader) -> Int64? {
    let code = reader.byte()
    switch code {
    case Code.plusConstant: return Int64(exactly: reader.uleb128())
    case Code.literal0..<(Code.literal0 + 32): return reader.byte() == Code.plus ? Int64(code - Code.literal0) : nil
    case Code.constant1:
      let value = reader.byte()
      return reader.byte() == Code.plus ? Int64(value) : nil
    default: return nil
    }
  }
}
