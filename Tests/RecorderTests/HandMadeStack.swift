import Base
import CRecorderABI
import Glibc
import ObjectFile
import Synchronization

@testable import Recorder
@testable import Unwind

/// A stack, its registers and its tables put together by hand, for the unwinder's host build.
struct HandMadeStack {
  static let base: UInt64 = 0x7f00_0000_0000
  /// Where the one image is mapped; its image addresses begin at 0.
  static let code: UInt64 = 0x5500_0000_0000
  static let codeBytes: UInt64 = 0x40_0000

  var rows: [(address: UInt64, rule: UInt16)] = []
  var rules: [UnwindRule] = []
  /// From `base`.
  var words: [UInt64] = []
  var state = pyrorec_unwind_state()
  /// Further executable memory without a table.
  var anonymous: Range<UInt64>?
  var isPending = false
  /// Addresses behind a call; only where there are any is there code to be read, in this very process.
  var calls: [UInt64] = []
  /// What the calls name that name a function: by the address behind the call.
  var callees: [UInt64: UInt64] = [:]

  init() {
    state.sp = Self.base
    state.flags = UInt64(PYROREC_STATE_REGISTERS)
  }

  /// CFA = register + offset, return address below it.
  static func rule(_ register: UInt32, _ offset: Int32, fpAt: Int32? = nil) -> UnwindRule {
    var rule = UnwindRule()
    rule.cfaKind = UInt8(PYROREC_CFA_REGISTER.rawValue)
    rule.cfaRegister = UInt8(register)
    rule.cfaOffset = offset
    rule.raKind = UInt8(PYROREC_VALUE_AT_CFA.rawValue)
    rule.raOffset = -8
    if let fpAt {
      rule.fpKind = UInt8(PYROREC_VALUE_AT_CFA.rawValue)
      rule.fpOffset = fpAt
    }
    return rule
  }
  static func sp(_ offset: Int32, fpAt: Int32? = nil) -> UnwindRule { rule(PYROREC_REGISTER_SP.rawValue, offset, fpAt: fpAt) }
  static func fp(_ offset: Int32, fpAt: Int32? = nil) -> UnwindRule { rule(PYROREC_REGISTER_FP.rawValue, offset, fpAt: fpAt) }

  /// From `address` in the image on, that rule.
  mutating func add(_ address: UInt64, _ rule: UnwindRule) {
    let number = UInt16(rules.count) + RuleNumber.first
    rules.append(rule)
    rows.append((address, number))
  }
  mutating func add(_ address: UInt64, _ number: UInt16) { rows.append((address, number)) }

  var table: UnwindTable {
    let sorted = rows.sorted { $0.address < $1.address }
    let firstPage = (sorted.first?.address ?? 0) >> 16
    let lastPage = (sorted.last?.address ?? 0) >> 16
    var starts: [UInt32] = []
    for page in firstPage...lastPage + 1 { starts.append(UInt32(sorted.count { $0.address >> 16 < page })) }
    return UnwindTable(
      machine: .x86_64,
      layout: ImageLayout([
        ImageLayout.Segment(
          fileOffset: FileOffset(0), address: ImageAddress(0), fileByteCount: Self.codeBytes, memoryByteCount: Self.codeBytes)
      ]), firstPage: firstPage, pageStarts: starts, rows: sorted.map { UInt32($0.address & 0xffff) | UInt32($0.rule) << 16 },
      rules: rules)
  }

  /// The code lies at one place, and tests run at the same time.
  private static let codeIsThere = Mutex(())

  /// The tables in memory, and how many mappings there are.
  struct Loaded {
    var arrays: UnwindArrays
    var mappingCount: Int
  }

  func unwinder() throws -> Loaded {
    let arrays = try UnwindArrays(budget: 1 << 20, maps: nil)
    let store = TableStore(arrays)
    var count = 1
    var word = UInt64(PYROREC_ABSENCE_PENDING.rawValue)
    var bias: UInt64 = 0
    if !isPending, let stored = store.load(table) {
      word = stored.table.word
      bias = stored.bias(start: Self.code, end: Self.code + Self.codeBytes, fileOffset: 0) ?? 0
    }
    unsafe arrays.mappings[0] = pyrorec_unwind_mapping(
      begin: Self.code, end: Self.code + Self.codeBytes, bias: bias, table: word)
    if let anonymous {
      unsafe arrays.mappings[1] = pyrorec_unwind_mapping(
        begin: anonymous.lowerBound, end: anonymous.upperBound, bias: 0, table: UInt64(PYROREC_ABSENCE_ANONYMOUS.rawValue))
      count = 2
    }
    return Loaded(arrays: arrays, mappingCount: count)
  }

  func unwind(_ machine: ElfMachine = .x86_64) throws -> HostUnwinding { try unwind(by: unwinder(), machine) }

  func unwind(_ interpreter: HostUnwinding.Interpreter) throws -> HostUnwinding { try unwind(by: unwinder(), .x86_64, interpreter) }

  func unwind(
    by loaded: Loaded, _ machine: ElfMachine = .x86_64, _ interpreter: HostUnwinding.Interpreter? = nil
  ) throws -> HostUnwinding {
    if calls.isEmpty { return try unwindNow(by: loaded, machine, interpreter) }
    return try Self.codeIsThere.withLock { _ in try unwindNow(by: loaded, machine, interpreter) }
  }

  private func unwindNow(
    by loaded: Loaded, _ machine: ElfMachine, _ interpreter: HostUnwinding.Interpreter?
  ) throws -> HostUnwinding {
    let stack = words.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64($0 * 8)) } }
    let code = UnsafeMutableRawPointer(bitPattern: UInt(Self.code))
    if !calls.isEmpty {
      // 0x100000: MAP_FIXED_NOREPLACE
      let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | 0x100000
      guard mmap(code, Int(Self.codeBytes), PROT_READ | PROT_WRITE, flags, -1, 0) == code else {
        throw SystemCallError(call: "mmap", path: "code", code: errno)
      }
      // CALL rax
      for call in calls where callees[call] == nil {
        code?.storeBytes(of: 0xd0ff, toByteOffset: Int(call - Self.code) - 2, as: UInt16.self)
      }
      // CALL rel32
      for (call, callee) in callees {
        code?.storeBytes(of: 0xe8, toByteOffset: Int(call - Self.code) - 5, as: UInt8.self)
        code?.storeBytes(of: Int32(truncatingIfNeeded: callee &- call), toByteOffset: Int(call - Self.code) - 4, as: Int32.self)
      }
    }
    defer { if !calls.isEmpty { munmap(code, Int(Self.codeBytes)) } }
    var state = state
    state.sp = state.sp == 0 ? Self.base : state.sp
    return HostUnwinding(
      from: state, after: [], in: loaded.arrays, mappings: 0..<loaded.mappingCount, stack: stack, machine: machine,
      process: calls.isEmpty ? 0 : UInt32(getpid()), interpreter: interpreter)
  }
}
