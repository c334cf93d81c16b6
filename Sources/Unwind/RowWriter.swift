import ObjectFile

/// Rows of one stretch of code, with rule numbers of its own.
struct RowPart: Sendable {
  /// Page numbers, and the index of the first row in each.
  var pages: [(page: UInt64, row: Int)] = []
  var rows: [UInt32] = []
  var rules: [UnwindRule] = []
}

/// Writes rows in order of address: one that says what the row before it says is left out, of two at one address the later counts.
struct RowWriter: RowReceiver, ~Copyable {
  private var pages: [(page: UInt64, row: Int)] = []
  private var rows = RowBuffer()
  private var interner = RuleInterner()
  private var pendingAddress: UInt64 = 0
  private var pendingRule = Self.nothing
  private var lastRule = Self.nothing
  private var page = UInt64.max
  /// Rules of states met lately, by `FrameState.recentPlace`: most rows repeat one. The initial ones have no CFA, and no row is like them.
  private var recent = [(state: FrameState, number: UInt16)](
    repeating: (FrameState(), RuleNumber.unsupported), count: Self.recentCount)
  static let recentCount = 512
  /// No rule's number.
  private static let nothing: UInt32 = 1 << 16

  /// Where the stubs of a procedure linkage table begin whose rows are still to be written.
  private(set) var stubs: (address: UInt64, threshold: UInt8)?
  /// For the section whose states are given next.
  var maker: RuleMaker?

  @inline(__always) mutating func row(at address: UInt64, _ state: FrameState) {
    let place = state.recentPlace
    if recent[place].state == state { return put(address, recent[place].number) }
    put(address, state)
    // A stub's state has no number, and one that was out of order was not written.
    if pendingAddress == address, state.cfa == .register { recent[place] = (state, UInt16(truncatingIfNeeded: pendingRule)) }
  }

  private mutating func put(_ address: UInt64, _ state: FrameState) {
    switch maker?.outcome(state) ?? .number(RuleNumber.unsupported) {
    case .number(let number): put(address, number)
    case .rule(let rule): put(address, interner.number(of: rule))
    case .stubs(let threshold): stubs = (address, threshold)
    }
  }

  mutating func unknown(at address: UInt64) { put(address, RuleNumber.unsupported) }

  /// The number of a rule, for `put`.
  @inline(__always) mutating func number(of rule: UnwindRule) -> UInt16 { interner.number(of: rule) }

  /// The rule holds from `address` on. What goes back is dropped: rows come in order.
  @inline(__always) mutating func put(_ address: UInt64, _ rule: UInt16) {
    if address != pendingAddress {
      guard address > pendingAddress else { return }
      flush()
    }
    pendingAddress = address
    pendingRule = UInt32(rule)
  }

  @inline(__always) private mutating func flush() {
    guard pendingRule != lastRule, pendingRule != Self.nothing else { return }
    if pendingAddress >> UnwindTable.pageBits != page {
      page = pendingAddress >> UnwindTable.pageBits
      pages.append((page, rows.count))
    }
    rows.append(UInt32(truncatingIfNeeded: pendingAddress & 0xffff) | pendingRule << 16)
    lastRule = pendingRule
  }

  /// Writes the rows of `stubs` up to `end`.
  @inline(__always) mutating func finishStubs(before end: UInt64, _ machine: ElfMachine) {
    guard let stubs else { return }
    self.stubs = nil
    if stubs.address < end { StubRows.put(stubs.threshold, from: stubs.address, to: end, machine, &self) }
  }

  mutating func finish() -> RowPart {
    flush()
    return RowPart(pages: pages, rows: rows.array(), rules: interner.rules)
  }
}

/// Rows while they are written: an array without its questions at every one.
@safe struct RowBuffer: ~Copyable {
  private var start: UnsafeMutablePointer<UInt32>
  private var capacity: Int
  private(set) var count = 0

  init(capacity: Int = 4096) {
    self.capacity = max(capacity, 1)
    unsafe start = .allocate(capacity: self.capacity)
  }
  deinit { unsafe start.deallocate() }

  @inline(__always) mutating func append(_ row: UInt32) {
    if count == capacity { grow() }
    // Safe: `count` is below the capacity now.
    unsafe (start + count).initialize(to: row)
    count &+= 1
  }

  private mutating func grow() {
    // Safe: exactly the rows that were written move.
    let larger = UnsafeMutablePointer<UInt32>.allocate(capacity: capacity * 2)
    unsafe larger.moveInitialize(from: start, count: count)
    unsafe start.deallocate()
    unsafe start = larger
    capacity *= 2
  }

  func array() -> [UInt32] {
    // Safe: `count` rows were written.
    unsafe [UInt32](UnsafeBufferPointer(start: start, count: count))
  }
}

/// Puts parts together into one table; they come in order of address.
struct RowJoiner: ~Copyable {
  private var joined: RowBuffer
  private var pages: [(page: UInt64, row: Int)] = []
  private var interner = RuleInterner(slotCount: 4096)
  private var last: UInt32?

  init(rowCount: Int) { joined = RowBuffer(capacity: rowCount) }

  mutating func append(_ part: RowPart) {
    let numbers = part.rules.map { interner.number(of: $0) }
    var first = 0
    // Two parts may meet with one rule.
    if let row = part.rows.first, let last, Self.translated(row, numbers.span) >> 16 == last >> 16 { first = 1 }
    for (index, entry) in part.pages.enumerated() {
      let end = index + 1 < part.pages.count ? part.pages[index + 1].row : part.rows.count
      let from = max(entry.row, first)
      guard from < end else { continue }
      if pages.last?.page != entry.page { pages.append((entry.page, joined.count)) }
      let rows = part.rows.span
      let known = numbers.span
      for place in from..<end { joined.append(Self.translated(rows[place], known)) }
      last = Self.translated(rows[end - 1], known)
    }
  }

  @inline(__always) private static func translated(_ row: UInt32, _ numbers: Span<UInt16>) -> UInt32 {
    let number = row >> 16
    guard number >= UInt32(RuleNumber.first) else { return row }
    return row & 0xffff | UInt32(numbers[Int(number) - Int(RuleNumber.first)]) << 16
  }

  func finish() -> RowPart { RowPart(pages: pages, rows: joined.array(), rules: interner.rules) }
}

extension RowPart {
  /// The index of every page from the first on, and the number of rows at the end.
  func pageStarts() -> [UInt32] {
    guard let first = pages.first, let last = pages.last else { return [] }
    var starts: [UInt32] = []
    starts.reserveCapacity(Int(last.page - first.page) + 2)
    for entry in pages {
      // Pages without rows begin where the next one does.
      while UInt64(starts.count) <= entry.page - first.page { starts.append(UInt32(entry.row)) }
    }
    starts.append(UInt32(rows.count))
    return starts
  }
}
