/// What call-frame instructions have said so far of the registers a table tracks (DWARF 5, section 6.4.1).
struct FrameState: Equatable, Sendable, BitwiseCopyable {
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
    var kind: Kind
    var value: Int64
  }
  // Four words, so that it is passed in registers: this is copied and compared at every row.
  /// Bytes from the register; for an expression where it stands (`ExpressionPlace`).
  var cfaOffset: Int64 = 0
  private var returnAddressValue: Int64 = 0
  private var framePointerValue: Int64 = 0
  /// From the lowest byte on: `cfa`, the kinds of the return address and the frame pointer, `stackPointerIn` + 1; above them
  /// `cfaRegister`.
  private var tags: UInt64 = 0

  init() {}

  @inline(__always) private func tag(_ shift: UInt64) -> UInt8 { UInt8(truncatingIfNeeded: tags >> shift) }
  @inline(__always) private mutating func setTag(_ shift: UInt64, _ value: UInt8) {
    tags = tags & ~(0xff << shift) | UInt64(value) << shift
  }

  @inline(__always) var cfa: CFA {
    get { CFA(rawValue: tag(0)) ?? .undefined }
    set { setTag(0, newValue.rawValue) }
  }
  @inline(__always) var cfaRegister: UInt32 {
    get { UInt32(tags >> 32) }
    set { tags = tags & 0xffff_ffff | UInt64(newValue) << 32 }
  }
  @inline(__always) var returnAddress: Saved {
    get { Saved(kind: Kind(rawValue: tag(8)) ?? .computed, value: returnAddressValue) }
    set {
      setTag(8, newValue.kind.rawValue)
      returnAddressValue = newValue.value
    }
  }
  @inline(__always) var framePointer: Saved {
    get { Saved(kind: Kind(rawValue: tag(16)) ?? .computed, value: framePointerValue) }
    set {
      setTag(16, newValue.kind.rawValue)
      framePointerValue = newValue.value
    }
  }
  /// The register that holds the caller's stack pointer, where that is not the CFA: `longjmp` on its way.
  @inline(__always) var stackPointerIn: UInt8? {
    get { tag(24) == 0 ? nil : tag(24) - 1 }
    set { setTag(24, newValue.map { min($0, 0xfe) + 1 } ?? 0) }
  }

  /// One of `RowWriter.recentCount` places, spread well over states that differ.
  @inline(__always) var recentPlace: Int {
    let words = UInt64(bitPattern: cfaOffset) << 24 ^ UInt64(bitPattern: framePointerValue) << 40 ^ tags
    return Int(truncatingIfNeeded: ((words ^ UInt64(bitPattern: returnAddressValue)) &* 0x9e37_79b9_7f4a_7c15) >> 55)
  }

  @inline(__always) static func == (lhs: Self, rhs: Self) -> Bool {
    lhs.cfaOffset == rhs.cfaOffset && lhs.tags == rhs.tags && lhs.framePointerValue == rhs.framePointerValue
      && lhs.returnAddressValue == rhs.returnAddressValue
  }
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
