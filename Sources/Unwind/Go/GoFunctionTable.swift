import ObjectFile

/// Go's own table of functions, `.gopclntab` (Go's `src/internal/abi/symtab.go`, `src/debug/gosym/pclntab.go`).
///
/// It says for every instruction how far the stack pointer has moved since the function's entry ("pcsp"), which is what call
/// frames say of C. Versions from Go 1.2 on.
struct GoFunctionTable: Sendable {
  /// What a function's rows are made from.
  enum FunctionKind: UInt32 {
    case plain
    /// Runs on another stack after its first instructions: only the frame pointer leads back.
    case switchesStack
    /// Begins a thread, with what comes behind its first return.
    case startsThread
    /// As `switchesStack`, for a function that has no frame yet.
    case growsStack
  }

  let bytes: FrameBytes
  let machine: ElfMachine
  let quantum: UInt64
  private let header: GoTableHeader
  private let textStart: UInt64

  /// The table of `elf`, whose bytes are `file`; `nil` for what is no Go program.
  init?(_ elf: borrowing ElfFile, _ file: FrameBytes) {
    guard let location = GoTableLocation(elf) else { return nil }
    bytes = file.slice(from: location.fileOffset, byteCount: location.byteCount)
    machine = elf.header.machine
    header = location.header
    quantum = header.quantum
    textStart = location.textStart
  }

  /// The functions as blocks, in the table's order, which is that of addresses.
  func collect(into blocks: inout [CodeBlock], code: CodeImage) {
    let layout = header.layout
    let functions = header.functions
    for index in 0..<header.functionCount {
      let start = entry(index)
      let end = entry(index + 1)
      // Rows are as many as instructions, so their bytes must be there.
      guard start < end, code.hasBytes(start, end) else { continue }
      let offset = layout.hasOffsets ? word32(functions + index * 8 + 4) : Int(clamping: word64(functions + index * 16 + 8))
      // From Go 1.16 on counted from the list of functions, before from the start.
      let (function, overflow) = (layout == .go1_2 ? 0 : functions).addingReportingOverflow(offset)
      guard !overflow, function < bytes.count else { continue }
      let start32 = layout.hasOffsets ? 4 : 8
      let name = GoFunctionName(bytes, at: header.names &+ word32(function &+ start32))
      let program = header.programs &+ word32(function &+ start32 &+ 12)
      var block = CodeBlock(start: start, end: end, source: .constant, part: 0)
      switch name.role {
      case .outermost: block.part = RuleNumber.stop
      case .signalReturn:
        block.part = RuleNumber.signal
        block.start -= 1
      case .switchesStack, .startsThread, .growsStack, .none:
        guard program < bytes.count, let from = UInt32(exactly: program) else { continue }
        block.source = .go
        block.from = from
        let kind: FunctionKind =
          switch name.role {
          case .switchesStack: .switchesStack
          case .startsThread: .startsThread
          case .growsStack: .growsStack
          default: .plain
          }
        block.common = kind.rawValue
      }
      blocks.append(block)
    }
  }

  private func entry(_ index: Int) -> UInt64 {
    let place = header.functions + index * header.entryByteCount
    return header.layout.hasOffsets ? textStart &+ UInt64(word32(place)) : word64(place)
  }

  private func word32(_ offset: Int) -> Int { Int(bytes.load(offset, as: UInt32.self)) }
  private func word64(_ offset: Int) -> UInt64 { bytes.load(offset, as: UInt64.self) }
}

/// What the name of a Go function says about its frame.
struct GoFunctionName {
  enum Role {
    case outermost
    case signalReturn
    case switchesStack
    case startsThread
    case growsStack
  }
  let role: Role?

  private static let roles: [String: Role] = [
    "_rt0_amd64": .outermost, "_rt0_amd64_linux": .outermost, "_rt0_arm64_linux": .outermost,
    "runtime.rt0_go": .outermost, "runtime.goexit": .outermost, "runtime.clone": .startsThread,
    // Leaves the goroutine for good: what runs on its stack is the scheduler.
    "runtime.mcall": .outermost,
    "runtime.sigreturn": .signalReturn, "runtime.sigreturn__sigaction": .signalReturn,
    "runtime.systemstack": .switchesStack, "runtime.asmcgocall": .switchesStack, "runtime.cgocallback": .switchesStack,
    "runtime.morestack": .growsStack, "runtime.nanotime1": .switchesStack, "runtime.walltime": .switchesStack,
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
