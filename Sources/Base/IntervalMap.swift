/// Addresses `start..<end` and what is there.
public protocol AddressInterval {
  var start: UInt64 { get }
  var end: UInt64 { get set }
  /// Begins at `address` instead, which lies inside: whatever counts from the start follows it.
  mutating func moveStart(to address: UInt64)
}

/// Intervals that never overlap, ascending: what is put in takes the place of what it covers. For memory maps, which have
/// tens to thousands of entries and are asked far more often than changed.
@frozen public struct IntervalMap<Interval: AddressInterval> {
  @usableFromInline var sorted: [Interval] = []

  @inlinable public init() {}

  /// Ascending, none empty, none overlapping another.
  @inlinable public var intervals: [Interval] { sorted }

  /// The positions of those that share an address with `start..<end`; where it would go when none does.
  @inlinable public func positions(overlapping start: UInt64, _ end: UInt64) -> Range<Int> {
    let first = firstEnding(after: start)
    var last = first
    while last < sorted.count, sorted[last].start < end { last &+= 1 }
    return first..<last
  }

  /// Puts `new` over whatever it overlaps; what it leaves of the others at its two ends stays. Nothing when it is empty.
  @inlinable public mutating func insert(_ new: Interval) {
    insert(new, over: positions(overlapping: new.start, new.end))
  }

  /// The same, with what `positions(overlapping:)` gave for `new`.
  @inlinable public mutating func insert(_ new: Interval, over overlapping: Range<Int>) {
    guard new.start < new.end else { return }
    if overlapping.isEmpty {
      sorted.insert(new, at: overlapping.lowerBound)
      return
    }
    var pieces: [Interval] = []
    var head = sorted[overlapping.lowerBound]
    if head.start < new.start {
      head.end = new.start
      pieces.append(head)
    }
    pieces.append(new)
    var tail = sorted[overlapping.upperBound - 1]
    if tail.end > new.end {
      tail.moveStart(to: new.end)
      pieces.append(tail)
    }
    sorted.replaceSubrange(overlapping, with: pieces)
  }

  @inlinable public mutating func removeAll() { sorted = [] }

  /// The one that `address` lies in.
  @inlinable public func interval(at address: UInt64) -> Interval? {
    let index = firstEnding(after: address)
    guard index < sorted.count, sorted[index].start <= address else { return nil }
    return sorted[index]
  }

  /// The position of the first whose end lies above `address`.
  @inlinable func firstEnding(after address: UInt64) -> Int {
    var low = 0
    var high = sorted.count
    while low < high {
      let middle = (low &+ high) / 2
      if sorted[middle].end <= address { low = middle &+ 1 } else { high = middle }
    }
    return low
  }
}

extension IntervalMap: Sendable where Interval: Sendable {}
