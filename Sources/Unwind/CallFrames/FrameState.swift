/// What call-frame instructions have said so far of the registers a table tracks (DWARF 5, section 6.4.1).
struct FrameState: Sendable, BitwiseCopyable {
  enum CFA: UInt8 {
    case undefined, register, expression
  }
  enum Kind: UInt8 {
    /// Nothing was said, or that it keeps its value.
    case same
    /// At CFA + value.
    case atCFA
    /// In the register `value`.
    case inRegister
    case undefined
    /// At the address an expression gives; `value` is where it stands (`ExpressionPlace`).
    case atExpression
    /// A value that is computed, which no unwinder of ours does.
    case computed
  }
  struct Saved: BitwiseCopyable {
    var kind = Kind.same
    var value: Int64 = 0
  }
  var cfa = CFA.undefined
  var cfaRegister: UInt32 = 0
  /// Bytes from the register; for an expression where it stands (`ExpressionPlace`).
  var cfaOffset: Int64 = 0
  var returnAddress = Saved()
  var framePointer = Saved()
  /// The register that holds the caller's stack pointer, where that is not the CFA: `longjmp` on its way.
  var stackPointerIn: UInt8?
}

/// The bytes of an expression in its section, in one number.
enum ExpressionPlace {
  static func pack(from: Int, to end: Int) -> Int64 { Int64(from) << 32 | Int64(end) }
  static func from(_ place: Int64) -> Int { Int(place >> 32) }
  static func end(_ place: Int64) -> Int { Int(place & 0xffff_ffff) }
}

/// The registers of one architecture by their DWARF numbers.
struct RegisterNames: Sendable {
  let stackPointer: UInt32
  let framePointer: UInt32
  /// The link register; `nil` where calls push their return address.
  let link: UInt32?

  /// System V psABI x86-64, figure 3.36.
  static let x86_64 = Self(stackPointer: 7, framePointer: 6, link: nil)
  /// DWARF for the Arm 64-bit Architecture, section 4.1.
  static let aarch64 = Self(stackPointer: 31, framePointer: 29, link: 30)

  /// As a rule spells a register, and whether it is known in the innermost frame only; `nil` when a rule has no room for it.
  func code(_ register: UInt64) -> (code: UInt8, isLeafOnly: Bool)? {
    if register == UInt64(stackPointer) { return (RuleCode.sp, false) }
    if register == UInt64(framePointer) { return (RuleCode.fp, false) }
    if let link, register == UInt64(link) { return (RuleCode.lr, true) }
    // Vector registers and those of later extensions hold no frame.
    guard register < 32 else { return nil }
    return (RuleCode.numbered + UInt8(register), true)
  }
}
