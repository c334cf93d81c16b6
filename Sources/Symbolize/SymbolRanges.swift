import Base
import ObjectFile

extension SymbolCandidates {
  /// Cuts the candidates into ranges that do not overlap.
  func ranges(_ names: [SymbolTable.StringTable]) -> (starts: [UInt64], owners: [UInt32], entries: [SymbolTable.Entry]) {
    guard !isEmpty else { return ([], [], []) }
    var cut = RangeCut(capacity: count)
    let order = CandidateOrder(starts)
    var group: [Candidate] = []
    var place = 0
    while place < order.count {
      let start = order.start(place, starts)
      var end = place + 1
      while end < order.count, order.start(end, starts) == start { end += 1 }
      let next = end < order.count ? order.start(end, starts) : .max
      if end - place == 1 {
        var only = candidate(order.index(place), start: start)
        // A symbol without a size reaches up to the next one.
        if only.has(Self.isSizeless) { only.end = min(next, only.limit) }
        cut.add(only)
      } else {
        group.removeAll(keepingCapacity: true)
        for index in place..<end { group.append(candidate(order.index(index), start: start)) }
        SymbolNameRank.sort(&group, names)
        // Where another of the same start has a size, one without goes.
        let hasSize = !group[0].has(Self.isSizeless)
        for var member in group {
          if member.has(Self.isSizeless), !hasSize { member.end = min(next, member.limit) }
          cut.add(member)
        }
      }
      place = end
    }
    cut.close(upTo: .max)
    return (cut.starts, cut.owners, cut.entries)
  }
}

/// Candidates by start, and those of one start as they were found.
private struct CandidateOrder {
  /// The distance from the lowest start, and the index below; the index alone where that does not fit.
  private var keys: [UInt64]
  private let lowest: UInt64
  private let isPlain: Bool
  private static let indexBits: UInt64 = 24

  var count: Int { keys.count }

  init(_ starts: [UInt64]) {
    var lowest = UInt64.max
    var highest: UInt64 = 0
    for start in starts {
      lowest = min(lowest, start)
      highest = max(highest, start)
    }
    self.lowest = lowest
    // Sorting plain numbers is several times faster than sorting by what they stand for.
    isPlain = highest - min(lowest, highest) >= 1 << (64 - Self.indexBits) || starts.count > 1 << Self.indexBits
    keys = []
    keys.reserveCapacity(starts.count)
    if isPlain {
      for index in starts.indices { keys.append(UInt64(index)) }
      keys.sort { (starts[Int($0)], $0) < (starts[Int($1)], $1) }
    } else {
      for index in starts.indices { keys.append((starts[index] - lowest) << Self.indexBits | UInt64(index)) }
      keys.sortNumbers(fromBit: Self.indexBits)
    }
  }

  @inline(__always) func index(_ place: Int) -> Int { Int(isPlain ? keys[place] : keys[place] & (1 << Self.indexBits - 1)) }

  @inline(__always) func start(_ place: Int, _ starts: [UInt64]) -> UInt64 {
    isPlain ? starts[Int(keys[place])] : lowest + keys[place] >> Self.indexBits
  }
}

/// Ranges while they are being cut; candidates come by start, then the longest first, then the best name first.
private struct RangeCut {
  private(set) var starts: [UInt64] = []
  private(set) var owners: [UInt32] = []
  private(set) var entries: [SymbolTable.Entry] = []
  /// What covers the place reached, innermost last.
  private var open: [(end: UInt64, entry: UInt32)] = []
  private var lastStart: UInt64?
  private var lastEnd: UInt64 = 0

  init(capacity: Int) {
    starts.reserveCapacity(capacity * 2)
    owners.reserveCapacity(capacity * 2)
    entries.reserveCapacity(capacity)
  }

  private mutating func begin(_ start: UInt64, _ owner: UInt32) {
    if starts.last == start {
      owners[owners.count - 1] = owner
    } else if owners.last != owner {
      starts.append(start)
      owners.append(owner)
    }
  }

  /// Ends what ends at or before `place`.
  mutating func close(upTo place: UInt64) {
    while let top = open.last, top.end <= place {
      open.removeLast()
      // What lies below may have ended before.
      while let below = open.last, below.end <= top.end { open.removeLast() }
      begin(top.end, open.last?.entry ?? SymbolTable.nobody)
    }
  }

  mutating func add(_ candidate: SymbolCandidates.Candidate) {
    guard candidate.end > candidate.start else { return }
    close(upTo: candidate.start)
    if candidate.has(SymbolCandidates.fillsGaps), !open.isEmpty { return }
    // The best name of a range comes first, and is the one that counts.
    if lastStart == candidate.start, lastEnd == candidate.end { return }
    lastStart = candidate.start
    lastEnd = candidate.end
    let number = UInt32(entries.count)
    entries.append(
      SymbolTable.Entry(
        nameOffset: candidate.nameOffset, table: candidate.table, isStub: candidate.has(SymbolCandidates.isStub)))
    begin(candidate.start, number)
    open.append((candidate.end, number))
  }
}

/// Which of several names of one place counts.
enum SymbolNameRank {
  /// Names are compared up to here, so that a file full of equal symbols with one endless name stays cheap.
  private static let comparedByteCount = 512
  /// Names of one indirect function that are compared for its stub.
  private static let maximumAliasCount = 16

  /// Leading underscores, and bytes.
  private static func measure(
    _ candidate: SymbolCandidates.Candidate, _ names: [SymbolTable.StringTable]
  ) -> (underscoreCount: Int, byteCount: Int) {
    let table = names[Int(candidate.table)]
    let name = SymbolTable.plainName(
      candidate.nameOffset, in: table.image.bytes, table.fileOffset, table.byteCount, limit: comparedByteCount)
    var underscoreCount = 0
    while name.byte(at: underscoreCount) == UInt8(ascii: "_") { underscoreCount += 1 }
    return (underscoreCount, name.byteCount)
  }

  /// The name a caller would have written: the fewest leading underscores, then the shortest (`strnlen`, not `__GI___strnlen`).
  static func plainest(
    of group: [SymbolCandidates.Candidate], _ names: [SymbolTable.StringTable]
  ) -> SymbolCandidates.Candidate? {
    var best: (candidate: SymbolCandidates.Candidate, measure: (Int, Int))?
    for candidate in group.prefix(maximumAliasCount) {
      let measure = measure(candidate, names)
      if let best, best.measure <= measure { continue }
      best = (candidate, measure)
    }
    return best?.candidate
  }

  /// The symbols of one start: the longest first, and the best name first of those of one length.
  static func sort(_ group: inout [SymbolCandidates.Candidate], _ names: [SymbolTable.StringTable]) {
    let measured = group.map { (candidate: $0, measure: measure($0, names)) }
    let sorted = measured.sorted { a, b in
      if a.candidate.end != b.candidate.end { return a.candidate.end > b.candidate.end }
      let fills = (a.candidate.has(SymbolCandidates.fillsGaps), b.candidate.has(SymbolCandidates.fillsGaps))
      if fills.0 != fills.1 { return fills.1 }
      let weak = ElfSymbol.Binding.weak.rawValue
      if (a.candidate.binding == weak) != (b.candidate.binding == weak) { return b.candidate.binding == weak }
      let global = ElfSymbol.Binding.global.rawValue
      if (a.candidate.binding == global) != (b.candidate.binding == global) { return a.candidate.binding == global }
      if a.measure.underscoreCount != b.measure.underscoreCount { return a.measure.underscoreCount < b.measure.underscoreCount }
      return a.measure.byteCount > b.measure.byteCount
    }
    group = sorted.map(\.candidate)
  }
}
