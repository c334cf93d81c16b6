package import CRecorderABI

/// How to get from a frame to its caller: what `struct pyrorec_unwind_rule` says, field by field.
package struct UnwindRule: Hashable, Sendable, BitwiseCopyable {
  package var cfaKind: UInt8 = 0
  package var cfaRegister: UInt8 = 0
  package var raKind: UInt8 = 0
  package var raRegister: UInt8 = 0
  package var fpKind: UInt8 = 0
  package var fpRegister: UInt8 = 0
  package var flags: UInt8 = 0
  package var cfaIndex: UInt8 = 0
  package var cfaOffset: Int32 = 0
  package var cfaAdd: Int32 = 0
  package var raOffset: Int32 = 0
  package var fpOffset: Int32 = 0

  package init() {}

  /// The fields from the three numbers `words` gives.
  init(words: (UInt64, UInt64, UInt64)) {
    cfaKind = UInt8(truncatingIfNeeded: words.0)
    cfaRegister = UInt8(truncatingIfNeeded: words.0 >> 8)
    raKind = UInt8(truncatingIfNeeded: words.0 >> 16)
    raRegister = UInt8(truncatingIfNeeded: words.0 >> 24)
    fpKind = UInt8(truncatingIfNeeded: words.0 >> 32)
    fpRegister = UInt8(truncatingIfNeeded: words.0 >> 40)
    flags = UInt8(truncatingIfNeeded: words.0 >> 48)
    cfaIndex = UInt8(truncatingIfNeeded: words.0 >> 56)
    cfaOffset = Int32(truncatingIfNeeded: words.1)
    cfaAdd = Int32(truncatingIfNeeded: words.1 >> 32)
    raOffset = Int32(truncatingIfNeeded: words.2)
    fpOffset = Int32(truncatingIfNeeded: words.2 >> 32)
  }

  /// All fields in three numbers, for hashing and comparing.
  @inline(__always) var words: (UInt64, UInt64, UInt64) {
    let kinds =
      UInt64(cfaKind) | UInt64(cfaRegister) << 8 | UInt64(raKind) << 16 | UInt64(raRegister) << 24 | UInt64(fpKind) << 32
      | UInt64(fpRegister) << 40 | UInt64(flags) << 48 | UInt64(cfaIndex) << 56
    let cfa = UInt64(UInt32(bitPattern: cfaOffset)) | UInt64(UInt32(bitPattern: cfaAdd)) << 32
    let saved = UInt64(UInt32(bitPattern: raOffset)) | UInt64(UInt32(bitPattern: fpOffset)) << 32
    return (kinds, cfa, saved)
  }

  @inline(__always) package static func == (lhs: Self, rhs: Self) -> Bool { lhs.words == rhs.words }

  /// The same as the kernel side reads it.
  package var abi: pyrorec_unwind_rule {
    pyrorec_unwind_rule(
      cfa_kind: cfaKind, cfa_register: cfaRegister, ra_kind: raKind, ra_register: raRegister, fp_kind: fpKind,
      fp_register: fpRegister, flags: flags, cfa_index: cfaIndex, cfa_offset: cfaOffset, cfa_add: cfaAdd, ra_offset: raOffset,
      fp_offset: fpOffset)
  }
}

/// The numbers of rules that say everything by themselves: `enum pyrorec_unwind_rule_number`.
package enum RuleNumber {
  package static let none = UInt16(PYROREC_RULE_NONE.rawValue)
  package static let stop = UInt16(PYROREC_RULE_STOP.rawValue)
  package static let plt11 = UInt16(PYROREC_RULE_PLT_11.rawValue)
  package static let plt10 = UInt16(PYROREC_RULE_PLT_10.rawValue)
  package static let signal = UInt16(PYROREC_RULE_SIGNAL.rawValue)
  package static let switchedStack = UInt16(PYROREC_RULE_SWITCHED_STACK.rawValue)
  package static let grewStack = UInt16(PYROREC_RULE_GREW_STACK.rawValue)
  package static let framePointer = UInt16(PYROREC_RULE_FRAME_POINTER.rawValue)
  package static let unsupported = UInt16(PYROREC_RULE_UNSUPPORTED.rawValue)
  /// The number of a table's first rule of its own.
  package static let first = UInt16(PYROREC_RULE_FIRST.rawValue)
}

/// The registers and kinds of `pyrorec_unwind.h` as the bytes that stand in a rule.
enum RuleCode {
  static let sp = UInt8(PYROREC_REGISTER_SP.rawValue)
  static let fp = UInt8(PYROREC_REGISTER_FP.rawValue)
  static let lr = UInt8(PYROREC_REGISTER_LR.rawValue)
  static let numbered = UInt8(PYROREC_REGISTER_NUMBERED.rawValue)
  static let cfaRegister = UInt8(PYROREC_CFA_REGISTER.rawValue)
  static let cfaDeref = UInt8(PYROREC_CFA_DEREF.rawValue)
  static let cfaDerefIndexed = UInt8(PYROREC_CFA_DEREF_INDEXED.rawValue)
  static let same = UInt8(PYROREC_VALUE_SAME.rawValue)
  static let atCFA = UInt8(PYROREC_VALUE_AT_CFA.rawValue)
  static let inRegister = UInt8(PYROREC_VALUE_IN_REGISTER.rawValue)
  static let atRegister = UInt8(PYROREC_VALUE_AT_REGISTER.rawValue)
  static let undefined = UInt8(PYROREC_VALUE_UNDEFINED.rawValue)
  static let leafOnly = UInt8(PYROREC_RULE_LEAF_ONLY)
}
