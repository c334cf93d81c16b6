import Base
import ObjectFile

/// Rows of x86-64 functions that have no call frames, from their code: every way through a function is followed, and how far the
/// stack pointer has moved is written down at each instruction. For musl, which is built without call frames, and for Swift, whose
/// compiler writes none for functions that nothing is thrown through.
///
/// What cannot be followed gets no rule rather than a guess.
enum X86StackCode {
  private static let maximumSymbolCount = 1 << 20
  /// Larger functions are left alone.
  private static let maximumFunctionByteCount: UInt64 = 1 << 17
  /// Of all functions together.
  private static let maximumByteCount: UInt64 = 64 << 20

  /// Whether the file is one with Swift's code in it, which its metadata tells, and small enough to look at.
  static func isSwift(_ elf: borrowing ElfFile) -> Bool {
    guard elf.header.machine == .x86_64 else { return false }
    let prefix = Array("swift5_".utf8)
    // A copy without them has their headers.
    for index in elf.sections.indices where [.programBits, .noBits].contains(elf.sections[index].kind) {
      let name = elf.sectionName(index)
      if name.byteCount > prefix.count, name.extracting(0..<prefix.count).copied() == prefix {
        return elf.segments.allSatisfy { $0.kind != .load || !$0.isExecutable || $0.fileByteCount <= maximumByteCount }
      }
    }
    return false
  }

  /// - Parameter blocks: what is known; functions that begin in none of it are appended.
  static func collect(_ elf: borrowing ElfFile, _ code: CodeImage, into blocks: inout [CodeBlock]) {
    guard elf.header.machine == .x86_64 else { return }
    var known = blocks.map { (start: $0.start, end: $0.end) }
    known.sort { $0.start < $1.start }
    var found: [(start: UInt64, end: UInt64)] = []
    append(elf.symbolTable, code, &found)
    append(elf.dynamicSymbolTable, code, &found)
    found.sort { $0.start != $1.start ? $0.start < $1.start : $0.end < $1.end }
    var left = maximumByteCount
    var place = 0
    var last: UInt64 = 0
    for (index, function) in found.enumerated() where function.start >= last {
      while place < known.count, known[place].end <= function.start { place += 1 }
      if place < known.count, known[place].start <= function.start { continue }
      var end = function.end
      if end == function.start {
        // Whoever wrote it in assembly did not say how long it is; to the next function then.
        let next = found[index...].first { $0.start > function.start }?.start ?? .max
        end = min(next, code.end(ofStretchAt: function.start), function.start &+ maximumFunctionByteCount)
      }
      guard end > function.start, end - function.start <= left else { return }
      left -= end - function.start
      last = end
      blocks.append(CodeBlock(start: function.start, end: end, source: .x86Code, part: 0))
    }
  }

  private static func append(_ symbols: ElfSymbolTable?, _ code: CodeImage, _ found: inout [(start: UInt64, end: UInt64)]) {
    guard let symbols else { return }
    for index in 0..<min(symbols.count, maximumSymbolCount) {
      let symbol = symbols[index]
      guard symbol.kind == .function, UInt32(symbol.section) != ElfSymbol.undefinedSection, symbol.byteCount <= maximumFunctionByteCount
      else { continue }
      let (end, overflow) = symbol.value.addingReportingOverflow(symbol.byteCount)
      guard !overflow, code.hasBytes(symbol.value, max(end, symbol.value &+ 1)) else { continue }
      // The rest of a function, entered by jumps from it with its frame set up.
      if isColdPart(symbols.name(at: symbol.nameOffset)) { continue }
      found.append((symbol.value, end))
    }
  }

  /// Whether a name ends in `.cold` or `.cold.` and a number.
  private static func isColdPart(_ name: RawSpan) -> Bool {
    var end = name.byteCount
    while end > 0, let digit = name.byte(at: end - 1), (0x30...0x39).contains(digit) { end -= 1 }
    if end < name.byteCount, end > 0, name.byte(at: end - 1) == 0x2e { end -= 1 }
    guard end >= 5 else { return false }
    return name.extracting((end - 5)..<end).copied() == Array(".cold".utf8)
  }

  /// What is known before an instruction.
  private struct State: Equatable {
    /// Bytes on the stack since the call; `nil` when the stack pointer is not known.
    var depth: Int32?
    /// Where the caller's frame pointer is, from the CFA; `nil` while it is in its register.
    var saved: Int32?
    /// `depth` where rbp points; `nil` when it is no frame pointer.
    var frame: Int32?
  }

  static func run(_ block: CodeBlock, before limit: UInt64, _ code: CodeImage, into writer: inout RowWriter) {
    let byteCount = Int(limit - block.start)
    guard byteCount > 0, let from = code.offset(of: block.start) else { return }
    // No function begins so: a copy of the file without this code.
    if code.bytes.load(from, as: UInt32.self) == 0 { return writer.put(block.start, RuleNumber.none) }
    var states = [State?](repeating: nil, count: byteCount)
    // Of every instruction that was reached its end, in the place of its first byte.
    var ends = [Int32](repeating: 0, count: byteCount)
    var waiting = [(offset: 0, state: State(depth: 0))]
    var atIndirectJump: State?
    var sweep = 0
    while true {
      while let (offset, state) = waiting.popLast() {
        follow(offset, state, code.bytes, from, &states, &ends, &waiting, &atIndirectJump)
      }
      // What only a table of jumps leads to is as the jump left it.
      guard let state = atIndirectJump, let next = nextUnreached(states, code.bytes, from, &sweep) else { break }
      waiting.append((next, state))
    }
    write(states, ends, block.start, &writer)
  }

  private static func follow(
    _ offset: Int, _ state: State, _ bytes: FrameBytes, _ from: Int, _ states: inout [State?], _ ends: inout [Int32],
    _ waiting: inout [(offset: Int, state: State)], _ atIndirectJump: inout State?
  ) {
    var offset = offset
    var state = state
    while offset < states.count, states[offset] == nil {
      states[offset] = state
      var reader = bytes.reader(from: from + offset, to: from + states.count)
      guard let instruction = X86Instruction(&reader) else {
        states[offset] = State()
        return
      }
      let next = offset + instruction.byteCount
      ends[offset] = Int32(next)
      func target(_ distance: Int64) -> Int? {
        let place = Int64(next) + distance
        return place >= 0 && place < Int64(states.count) ? Int(place) : nil
      }
      switch instruction.effect {
      case .none: break
      case .move(let bytes): state.depth = state.depth.map { $0 &- bytes }
      case .pushFramePointer:
        state.depth = state.depth.map { $0 &+ 8 }
        if state.saved == nil, let depth = state.depth { state.saved = -8 &- depth }
      case .popFramePointer:
        state.depth = state.depth.map { $0 &- 8 }
        if let saved = state.saved, let depth = state.depth, saved == -16 &- depth { (state.saved, state.frame) = (nil, nil) }
      case .saveFramePointer(let displacement):
        if state.saved == nil, let depth = state.depth { state.saved = displacement &- 8 &- depth }
      case .loadFramePointer: (state.saved, state.frame) = (nil, nil)
      case .setFramePointer: state.frame = state.depth
      case .toFramePointer(let displacement): state.depth = state.frame.map { $0 &- displacement }
      case .leave:
        state.depth = state.frame.map { $0 &- 8 }
        (state.saved, state.frame) = (nil, nil)
      case .unknownStack: state.depth = nil
      case .jump(let distance):
        if let place = target(distance) { waiting.append((place, state)) }
        return
      case .branch(let distance): if let place = target(distance) { waiting.append((place, state)) }
      case .indirectJump:
        // One from the depth of the caller is a call in disguise.
        if state.depth != 0 { atIndirectJump = state }
        return
      case .end: return
      }
      offset = next
    }
  }

  /// The next instruction from `offset` on that was not reached, padding left out.
  private static func nextUnreached(
    _ states: borrowing [State?], _ bytes: FrameBytes, _ from: Int, _ offset: inout Int
  ) -> Int? {
    while offset < states.count {
      var reader = bytes.reader(from: from + offset, to: from + states.count)
      guard let instruction = X86Instruction(&reader) else { return nil }
      let isPadding = bytes.load(from + offset, as: UInt8.self) == 0x90 || bytes.load(from + offset, as: UInt8.self) == 0xcc
      if states[offset] == nil, !isPadding { return offset }
      offset += instruction.byteCount
    }
    return nil
  }

  private static func write(_ states: [State?], _ ends: [Int32], _ start: UInt64, _ writer: inout RowWriter) {
    var reached = 0
    for offset in states.indices {
      guard let state = states[offset] else { continue }
      // Code that nothing leads to: longer than padding, it may have any frame.
      if offset - reached > Int(UnwindSources.maximumPaddingByteCount) { writer.put(start + UInt64(reached), RuleNumber.none) }
      reached = max(reached, Int(ends[offset]))
      var rule = UnwindRule()
      rule.raKind = RuleCode.atCFA
      rule.raOffset = -8
      if let depth = state.depth, depth >= 0 {
        rule.cfaRegister = RuleCode.sp
        rule.cfaOffset = depth &+ 8
      } else if let frame = state.frame, frame >= 0 {
        rule.cfaRegister = RuleCode.fp
        rule.cfaOffset = frame &+ 8
      } else {
        writer.put(start + UInt64(offset), RuleNumber.none)
        continue
      }
      if let saved = state.saved {
        rule.fpKind = RuleCode.atCFA
        rule.fpOffset = saved
      }
      writer.put(start + UInt64(offset), writer.number(of: rule))
    }
    if states.count - reached > Int(UnwindSources.maximumPaddingByteCount) {
      writer.put(start + UInt64(reached), RuleNumber.none)
    }
  }
}
