/// A range of code and where its rules come from; the table is the blocks in order of address.
struct CodeBlock: Sendable, BitwiseCopyable {
  enum Source: UInt16 {
    /// Call-frame instructions `[from, to)` of section `part`, under common entry `common`.
    case callFrames
    /// The rule `part` all through.
    case constant
  }
  var start: UInt64
  var end: UInt64
  var source: Source
  var part: UInt16
  var common: UInt32 = 0
  var from: UInt32 = 0
  var to: UInt32 = 0
}

extension [CodeBlock] {
  /// In order of address; of those that begin at one address the one found first is kept.
  consuming func orderedByAddress() -> [CodeBlock] {
    var isOrdered = true
    for index in indices.dropFirst() where self[index].start <= self[index - 1].start {
      isOrdered = false
      break
    }
    if isOrdered { return self }
    // Indices are sorted, not blocks; the first of equals stays first.
    var order = indices.map { (start: self[$0].start, index: UInt32($0)) }
    order.sort { $0.start != $1.start ? $0.start < $1.start : $0.index < $1.index }
    var ordered: [CodeBlock] = []
    ordered.reserveCapacity(count)
    for place in order where ordered.last?.start != place.start { ordered.append(self[Int(place.index)]) }
    return ordered
  }
}
