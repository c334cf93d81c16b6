/// An x86-64 instruction as far as the stack is concerned: how long it is, and what it does to rsp, rbp and the flow
/// (Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, chapter 2 and appendix A).
struct X86Instruction {
  enum Effect: Equatable {
    case none
    /// rsp moves by so many bytes.
    case move(Int32)
    case pushFramePointer, popFramePointer
    /// rbp is written to rsp + displacement.
    case saveFramePointer(Int32)
    case loadFramePointer
    /// mov %rsp, %rbp
    case setFramePointer
    /// rsp = rbp + displacement
    case toFramePointer(Int32)
    case leave
    /// rsp gets a value that is not known from here on.
    case unknownStack
    case jump(Int64), branch(Int64), indirectJump, end
  }
  static let maximumByteCount = 15

  var byteCount: Int
  var effect: Effect

  /// The instruction whose bytes the reader stands at; `nil` for one that is not known, or cut.
  init?(_ reader: inout FrameReader) {
    let start = reader.position
    var has16Bits = false
    var hasShortAddress = false
    var code = reader.byte()
    while Self.isPrefix(code) {
      if code == 0x66 { has16Bits = true }
      if code == 0x67 { hasShortAddress = true }
      guard reader.position - start < Self.maximumByteCount else { return nil }
      code = reader.byte()
    }
    var rex: UInt8 = 0
    if code & 0xf0 == 0x40 {
      rex = code
      code = reader.byte()
    }
    effect = .none
    let word = rex & 8 != 0
    let immediate = has16Bits && !word ? 2 : 4
    switch code {
    case 0x0f:
      let second = reader.byte()
      guard let found = Self.secondMap(second, rex, &reader) else { return nil }
      effect = found
    case 0xc5:
      _ = reader.byte()
      guard Self.vector(map: 1, reader.byte(), &reader) else { return nil }
    case 0xc4:
      let map = reader.byte() & 0x1f
      _ = reader.byte()
      guard Self.vector(map: map, reader.byte(), &reader) else { return nil }
    case 0x62:
      let map = reader.byte() & 7
      reader.skip(2)
      guard Self.vector(map: map, reader.byte(), &reader) else { return nil }
    case 0x50...0x57: effect = code == 0x55 && rex & 1 == 0 ? .pushFramePointer : .move(-8)
    case 0x58...0x5f:
      effect = code == 0x5d && rex & 1 == 0 ? .popFramePointer : code == 0x5c && rex & 1 == 0 ? .unknownStack : .move(8)
    case 0x68, 0x6a:
      reader.skip(code == 0x68 ? 4 : 1)
      effect = .move(-8)
    case 0x9c: effect = .move(-8)
    case 0x9d: effect = .move(8)
    case 0x70...0x7f, 0xe0...0xe3: effect = .branch(Int64(Int8(bitPattern: reader.byte())))
    case 0xeb: effect = .jump(Int64(Int8(bitPattern: reader.byte())))
    case 0xe9: effect = .jump(Int64(reader.read(Int32.self)))
    case 0xe8: reader.skip(4)
    case 0xc2, 0xc3, 0xf4, 0xcc:
      if code == 0xc2 { reader.skip(2) }
      effect = .end
    case 0xc9: effect = .leave
    case 0xc8: return nil  // enter: nobody writes it
    case 0xa0...0xa3: reader.skip(hasShortAddress ? 4 : 8)
    case 0xb8...0xbf: reader.skip(word ? 8 : UInt64(immediate))
    case 0xb0...0xb7, 0xa8, 0xcd, 0xe4...0xe7: reader.skip(1)
    case 0xa9: reader.skip(UInt64(immediate))
    case 0x90...0x99, 0x9b, 0x9e, 0x9f, 0xa4...0xa7, 0xaa...0xaf, 0xd7, 0xec...0xef, 0xf1, 0xf5, 0xf8...0xfd:
      // xchg %rsp, %rax, which no compiler writes
      if code == 0x94 && rex & 1 == 0 { effect = .unknownStack }
    case 0x00..<0x40 where code & 7 == 4: reader.skip(1)
    case 0x00..<0x40 where code & 7 == 5: reader.skip(UInt64(immediate))
    case 0x00..<0x40 where code & 7 < 4, 0x63, 0x69, 0x6b, 0x80, 0x81, 0x83...0x8f, 0xc0, 0xc1, 0xc6, 0xc7, 0xd0...0xd3,
      0xd8...0xdf, 0xf6, 0xf7, 0xfe, 0xff:
      let operand = X86Operand(&reader, rex)
      let before = reader.position
      switch code {
      case 0x6b, 0x80, 0x83, 0xc0, 0xc1, 0xc6: reader.skip(1)
      case 0x69, 0x81, 0xc7: reader.skip(UInt64(immediate))
      case 0xf6 where operand.register & 7 < 2: reader.skip(1)
      case 0xf7 where operand.register & 7 < 2: reader.skip(UInt64(immediate))
      default: break
      }
      let value =
        reader.position - before == 1
        ? Int32(reader.bytes.load(before, as: Int8.self)) : reader.bytes.load(before, as: Int32.self)
      effect = Self.effect(code, operand, value, word)
    default: return nil
    }
    guard !reader.overran, reader.position - start <= Self.maximumByteCount else { return nil }
    byteCount = reader.position - start
  }

  private static func isPrefix(_ code: UInt8) -> Bool {
    switch code {
    case 0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x2e, 0x36, 0x3e, 0x26, 0x64, 0x65: true
    default: false
    }
  }

  /// Of the instructions of the first map with an operand byte.
  private static func effect(_ code: UInt8, _ operand: X86Operand, _ value: Int32, _ word: Bool) -> Effect {
    let toStack = operand.isRegister && operand.base == 4
    switch code {
    case 0x81, 0x83:
      guard toStack else { return .none }
      switch operand.register & 7 {
      case 5 where word: return .move(0 &- value)  // sub
      case 0 where word: return .move(value)  // add
      case 7: return .none  // cmp
      default: return .unknownStack  // and: a stack that is realigned
      }
    case 0x89:
      if operand.register == 4, operand.isRegister, operand.base == 5, word { return .setFramePointer }
      if operand.register == 5, toStack, word { return .toFramePointer(0) }
      if operand.register == 5, operand.isOnStack, word { return .saveFramePointer(operand.displacement) }
      return toStack ? .unknownStack : .none
    case 0x8b:
      if operand.register == 5, operand.isRegister, operand.base == 4, word { return .setFramePointer }
      if operand.register == 4, operand.isRegister, operand.base == 5, word { return .toFramePointer(0) }
      if operand.register == 5, operand.isOnStack, word { return .loadFramePointer }
      return operand.register == 4 ? .unknownStack : .none
    case 0x8d:
      guard operand.register == 4 else { return .none }
      if operand.isOnStack, word { return .move(operand.displacement) }
      return operand.isPlain && operand.base == 5 && word ? .toFramePointer(operand.displacement) : .unknownStack
    case 0xff:
      switch operand.register & 7 {
      case 4, 5: return .indirectJump
      case 6: return .move(-8)
      case 0, 1: return toStack ? .unknownStack : .none
      default: return .none
      }
    case 0x8f: return .move(8)
    case 0x87: return toStack || operand.register == 4 ? .unknownStack : .none
    // Tests and comparisons write nothing; the others write their operand or their register.
    case 0x38...0x3b, 0x84, 0x85, 0xd8...0xdf: return .none
    case 0xf6, 0xf7: return toStack && operand.register & 7 >= 2 && operand.register & 7 <= 3 ? .unknownStack : .none
    case 0x00..<0x40:
      if code & 2 == 0 { return toStack && code & 1 == 1 ? .unknownStack : .none }
      return operand.register == 4 && code & 1 == 1 ? .unknownStack : .none
    case 0x63, 0x69, 0x6b: return operand.register == 4 ? .unknownStack : .none
    case 0xc1, 0xc7, 0xd1, 0xd3: return toStack ? .unknownStack : .none
    default: return .none
    }
  }

  /// The instructions that begin with 0x0f; `nil` for unknown ones.
  private static func secondMap(_ code: UInt8, _ rex: UInt8, _ reader: inout FrameReader) -> Effect? {
    switch code {
    case 0x80...0x8f: return .branch(Int64(reader.read(Int32.self)))
    case 0x0b: return .end
    case 0x05, 0x06, 0x08, 0x09, 0x30...0x33, 0x77, 0xa2, 0xc8...0xcf: return Effect.none
    case 0xa0, 0xa8: return .move(-8)
    case 0xa1, 0xa9: return .move(8)
    case 0x38: return vector(map: 2, reader.byte(), &reader) ? Effect.none : nil
    case 0x3a: return vector(map: 3, reader.byte(), &reader) ? Effect.none : nil
    case 0x04, 0x07, 0x0a, 0x0c, 0x0e, 0x0f, 0x24...0x27, 0x34...0x37, 0x39, 0x3b...0x3f, 0xaa: return nil
    default:
      let operand = X86Operand(&reader, rex)
      if hasImmediate(code) { reader.skip(1) }
      // cmov to rsp
      return (0x40...0x4f).contains(code) && operand.register == 4 ? .unknownStack : Effect.none
    }
  }

  private static func hasImmediate(_ code: UInt8) -> Bool {
    switch code {
    case 0x70...0x73, 0xa4, 0xac, 0xba, 0xc2, 0xc4, 0xc5, 0xc6: true
    default: false
    }
  }

  /// Vector instructions behind VEX, EVEX, 0x0f38 and 0x0f3a: none of them touches the stack pointer.
  private static func vector(map: UInt8, _ code: UInt8, _ reader: inout FrameReader) -> Bool {
    guard (1...6).contains(map) else { return false }
    if map == 1, code == 0x77 { return true }
    _ = X86Operand(&reader, 0)
    if map == 3 || (map == 1 && hasImmediate(code)) { reader.skip(1) }
    return true
  }
}

/// The operand byte, what follows it, and the registers they name.
struct X86Operand {
  /// `reg` with its bit of the prefix.
  var register: UInt8
  /// The register that is the operand, or that memory is counted from; 0xff for none.
  var base: UInt8
  var isRegister: Bool
  /// Memory at the base and the displacement alone.
  var isPlain: Bool
  var displacement: Int32 = 0

  /// Memory at rsp + displacement.
  var isOnStack: Bool { isPlain && base == 4 }

  init(_ reader: inout FrameReader, _ rex: UInt8) {
    let byte = reader.byte()
    let mode = byte >> 6
    register = (byte >> 3) & 7 | (rex & 4) << 1
    base = byte & 7 | (rex & 1) << 3
    isRegister = mode == 3
    isPlain = !isRegister
    if isRegister { return }
    var isLong = mode == 2
    if byte & 7 == 4 {
      let second = reader.byte()
      base = second & 7 | (rex & 1) << 3
      // No index is written as rsp.
      isPlain = (second >> 3) & 7 | (rex & 2) << 2 == 4
      if mode == 0, second & 7 == 5 { (isLong, isPlain) = (true, false) }
    } else if mode == 0, byte & 7 == 5 {
      (isLong, isPlain) = (true, false)
    }
    if isLong {
      displacement = reader.read(Int32.self)
    } else if mode == 1 {
      displacement = Int32(reader.read(Int8.self))
    }
  }
}
