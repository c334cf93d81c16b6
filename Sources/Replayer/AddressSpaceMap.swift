import Base
import TraceFormat

/// What is mapped in one address space: ascending, never overlapping.
struct AddressSpaceMap: Sendable {
  struct Mapping: Sendable {
    var start: UInt64
    var end: UInt64
    var fileOffset: UInt64
    var image: UInt32
  }
  var process: UInt32
  private(set) var mappings: [Mapping] = []

  init(process: UInt32) { self.process = process }

  /// Puts `new` over whatever it overlaps; what it leaves of the others at its ends stays.
  mutating func insert(_ new: Mapping) {
    guard new.start < new.end else { return }
    let low = firstEnding(after: new.start)
    var high = low
    while high < mappings.count, mappings[high].start < new.end { high += 1 }
    if low == high {
      mappings.insert(new, at: low)
      return
    }
    var pieces: [Mapping] = []
    var head = mappings[low]
    if head.start < new.start {
      head.end = new.start
      pieces.append(head)
    }
    pieces.append(new)
    var tail = mappings[high - 1]
    if tail.end > new.end {
      tail.fileOffset &+= new.end &- tail.start
      tail.start = new.end
      pieces.append(tail)
    }
    mappings.replaceSubrange(low..<high, with: pieces)
  }

  func mapping(at address: UInt64) -> Mapping? {
    let index = firstEnding(after: address)
    guard index < mappings.count, mappings[index].start <= address else { return nil }
    return mappings[index]
  }

  /// The index of the first mapping whose end lies above `address`.
  private func firstEnding(after address: UInt64) -> Int {
    var low = 0
    var high = mappings.count
    while low < high {
      let middle = (low + high) / 2
      if mappings[middle].end <= address { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
