import Base

/// Where in a unit answers change: noted while its functions are walked through, for those that hold an address asked for.
struct CodeSurvey {
  /// Of functions with a target.
  private var chosen: [CodeRange] = []
  /// Of the other functions.
  private var others: [CodeRange] = []
  /// Starts and ends of everything in the chosen functions.
  private(set) var edges: [UInt64] = []
  /// The functions are nested in a way that lets an answer depend on what else is asked for.
  var isUnsound = false

  mutating func note(_ ranges: [CodeRange], isInlined: Bool, isHit: Bool) {
    if isInlined || isHit {
      for range in ranges {
        edges.append(range.start)
        edges.append(range.end)
      }
    }
    if isInlined { return }
    if isHit { chosen += ranges } else { others += ranges }
  }

  /// The code that belongs to one function, and that one is chosen; ascending.
  var known: [CodeRange] {
    var events: [(address: UInt64, all: Int, chosen: Int)] = []
    events.reserveCapacity(2 * (chosen.count + others.count))
    for range in chosen {
      events.append((range.start, 1, 1))
      events.append((range.end, -1, -1))
    }
    for range in others {
      events.append((range.start, 1, 0))
      events.append((range.end, -1, 0))
    }
    events.sort { $0.address < $1.address }
    var known: [CodeRange] = []
    var all = 0
    var mine = 0
    var index = 0
    while index < events.count {
      let address = events[index].address
      while index < events.count, events[index].address == address {
        all += events[index].all
        mine += events[index].chosen
        index += 1
      }
      guard all == 1, mine == 1, index < events.count else { continue }
      let end = events[index].address
      if let last = known.last, last.end == address {
        known[known.count - 1].end = end
      } else {
        known.append(CodeRange(start: address, end: end))
      }
    }
    return known
  }
}

/// The addresses of a line program's rows, and of the ends of its sequences, that lie in given code.
struct RowEdges: RowSink {
  private let known: [CodeRange]
  private(set) var edges: [UInt64]
  /// With more the rest is left out.
  private let limit: Int
  /// The range met last, and whether there was one.
  private var range = CodeRange(start: 0, end: 0)

  /// - Parameter known: ascending, not overlapping.
  init(_ known: [CodeRange], edges: [UInt64], limit: Int) {
    self.known = known
    self.edges = edges
    self.limit = limit
  }

  mutating func begin() {}
  @inline(__always) mutating func add(_ row: LineRow, at address: UInt64) { note(address) }
  mutating func end(at address: UInt64) { note(address) }

  @inline(__always) private mutating func note(_ address: UInt64) {
    // Either in the range, or in the gap before it that was met last.
    if address >= range.start, address < range.end {
      if edges.count <= limit { edges.append(address) }
      return
    }
    if address >= gap.start, address < gap.end { return }
    search(address)
  }

  /// Code of nobody's that was met last.
  private var gap = CodeRange(start: 0, end: 0)

  private mutating func search(_ address: UInt64) {
    var low = 0
    var high = known.count
    while low < high {
      let middle = (low + high) / 2
      if known[middle].start <= address { low = middle + 1 } else { high = middle }
    }
    if low > 0, address < known[low - 1].end {
      range = known[low - 1]
      if edges.count <= limit { edges.append(address) }
    } else {
      gap = CodeRange(start: low > 0 ? known[low - 1].end : 0, end: low < known.count ? known[low].start : .max)
    }
  }
}
