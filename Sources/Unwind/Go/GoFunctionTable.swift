import ObjectFile

/// Go's own table of functions, `.gopclntab` (Go's `src/internal/abi/symtab.go`, `src/debug/gosym/pclntab.go`).
///
/// It says for every instruction how far the stack pointer has moved since the function's entry ("pcsp"), which is what call
/// frames say of C. Versions from Go 1.2 on.
struct GoFunctionTable: Sendable {
  enum Layout: UInt32 {
    case go1_2 = 0xffff_fffb
    case go1_16 = 0xffff_fffa
    case go1_18 = 0xffff_fff0
    case go1_20 = 0xffff_fff1
  }
  /// What a function's rows are made from.
  enum FunctionKind: UInt32 {
    case plain
    /// Runs on another stack after its first instructions: only the frame pointer leads back.
    case switchesStack
  }

  let bytes: FrameBytes
  let layout: Layout
  let machine: ElfMachine
  /// `MinLC`: what distances between instructions are multiples of.
  let quantum: UInt64
  let functionCount: Int
  /// Where the parts begin, in bytes from the start of the table.
  private let names: Int
  private let programs: Int
  private let functions: Int
  private let textStart: UInt64

  /// - Parameters:
  ///   - bytes: the table, from its magic number on.
  ///   - address: its image address.
  ///   - textStart: of `runtime.text`, where the header leaves it to the loader.
  init?(_ bytes: FrameBytes, machine: ElfMachine, textStart: UInt64) {
    guard let layout = Layout(rawValue: bytes.load(0, as: UInt32.self)), bytes.count >= 72, bytes.load(4, as: UInt16.self) == 0,
      bytes.load(7, as: UInt8.self) == 8
    else { return nil }
    let quantum = UInt64(bytes.load(6, as: UInt8.self))
    guard quantum == 1 || quantum == 2 || quantum == 4 else { return nil }
    func word(_ index: Int) -> UInt64 { bytes.load(8 + 8 * index, as: UInt64.self) }
    func place(_ index: Int) -> Int? { Int(exactly: word(index)).flatMap { $0 < bytes.count ? $0 : nil } }
    let parts: (names: Int?, programs: Int?, functions: Int?)
    switch layout {
    case .go1_2: parts = (0, 0, 16)
    case .go1_16: parts = (place(2), place(5), place(6))
    case .go1_18, .go1_20: parts = (place(3), place(6), place(7))
    }
    guard let names = parts.names, let programs = parts.programs, let functions = parts.functions,
      let count = Int(exactly: word(0)), count <= (bytes.count - functions) / (layout.hasOffsets ? 8 : 16)
    else { return nil }
    self.bytes = bytes
    self.layout = layout
    self.machine = machine
    self.quantum = quantum
    self.names = names
    self.programs = programs
    self.functions = functions
    functionCount = count
    self.textStart = layout.hasOffsets && word(2) != 0 ? word(2) : textStart
  }

  /// The functions as blocks, in the table's order, which is that of addresses.
  func collect(into blocks: inout [CodeBlock], code: CodeImage) {
    for index in 0..<functionCount {
      let start = entry(index)
      let end = entry(index + 1)
      // Rows are as many as instructions, so their bytes must be there.
      guard start < end, code.hasBytes(start, end) else { continue }
      let offset = layout.hasOffsets ? word32(functions + index * 8 + 4) : Int(clamping: word64(functions + index * 16 + 8))
      // From Go 1.16 on counted from the list of functions, before from the start.
      let (function, overflow) = (layout == .go1_2 ? 0 : functions).addingReportingOverflow(offset)
      guard !overflow, function < bytes.count else { continue }
      let header = layout.hasOffsets ? 4 : 8
      let name = GoFunctionName(bytes, at: names &+ word32(function &+ header))
      let program = programs &+ word32(function &+ header &+ 12)
      var block = CodeBlock(start: start, end: end, source: .constant, part: 0)
      switch name.role {
      case .outermost: block.part = RuleNumber.stop
      case .signalReturn:
        block.part = RuleNumber.signal
        block.start -= 1
      case .switchesStack, .none:
        guard program < bytes.count, let from = UInt32(exactly: program) else { continue }
        block.source = .go
        block.from = from
        block.common = (name.role == .switchesStack ? FunctionKind.switchesStack : .plain).rawValue
      }
      blocks.append(block)
    }
  }

  private func entry(_ index: Int) -> UInt64 {
    layout.hasOffsets ? textStart &+ UInt64(word32(functions + index * 8)) : word64(functions + index * 16)
  }

  private func word32(_ offset: Int) -> Int { Int(bytes.load(offset, as: UInt32.self)) }
  private func word64(_ offset: Int) -> UInt64 { bytes.load(offset, as: UInt64.self) }
}

extension GoFunctionTable.Layout {
  /// Entries are 32-bit offsets from the start of the code, not addresses.
  var hasOffsets: Bool { self == .go1_18 || self == .go1_20 }
}

/// What the name of a Go function says about its frame.
struct GoFunctionName {
  enum Role {
    case outermost
    case signalReturn
    case switchesStack
  }
  let role: Role?

  private static let roles: [String: Role] = [
    "_rt0_amd64": .outermost, "_rt0_amd64_linux": .outermost, "_rt0_arm64_linux": .outermost,
    "runtime.rt0_go": .outermost, "runtime.goexit": .outermost, "runtime.mstart": .outermost,
    // Leaves the goroutine for good: what runs on its stack is the scheduler.
    "runtime.mcall": .outermost,
    "runtime.sigreturn": .signalReturn, "runtime.sigreturn__sigaction": .signalReturn,
    "runtime.systemstack": .switchesStack, "runtime.asmcgocall": .switchesStack, "runtime.cgocallback": .switchesStack,
    "runtime.morestack": .switchesStack, "runtime.nanotime1": .switchesStack, "runtime.walltime": .switchesStack,
    "runtime.walltime1": .switchesStack, "time.now": .switchesStack, "runtime.nanotime": .switchesStack,
  ]
  private static let maximumByteCount = 40

  /// - Parameter offset: of the name's first byte, which a NUL ends.
  init(_ bytes: FrameBytes, at offset: Int) {
    // "runtime.", "_rt0", "time": most names are others.
    let start = bytes.load(offset, as: UInt32.self)
    guard start == 0x746e_7572 || start == 0x3074_725f || start == 0x656d_6974 else {
      role = nil
      return
    }
    var text: [UInt8] = []
    while text.count < Self.maximumByteCount {
      let byte = bytes.load(offset &+ text.count, as: UInt8.self)
      if byte == 0 { break }
      text.append(byte)
    }
    let name = String(decoding: text, as: UTF8.self)
    role = Self.roles[name.hasSuffix(".abi0") ? String(name.dropLast(5)) : name]
  }
}
