/// A range of code and where its rules come from; the table is the blocks in order of address.
struct CodeBlock: Sendable, BitwiseCopyable {
  enum Source: UInt16 {
    /// Call-frame instructions `[from, to)` of section `part`, under common entry `common`.
    case callFrames
    /// The steps of a Go function that begin at `from` of the table of functions.
    case go
    /// The rule `part` all through.
    case constant
    /// Code alone tells (`LinkRegisterCode`).
    case linkRegister
    /// Code alone tells (`X86StackCode`).
    case x86Code
    /// The stubs of a procedure linkage table (`PLTRows`).
    case stubs
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
  /// In order of address. Of blocks that begin at one address the one found first is kept; one that begins within a block of a
  /// better source is dropped, because the sources are collected best first.
  consuming func orderedByAddress() -> [CodeBlock] {
    var isOrdered = true
    for index in indices.dropFirst() where self[index].start < self[index - 1].end {
      isOrdered = false
      break
    }
    if isOrdered { return self }
    // Indices are sorted, not blocks; the first of equals stays first.
    var order = indices.map { (start: self[$0].start, index: UInt32($0)) }
    order.sort { $0.start != $1.start ? $0.start < $1.start : $0.index < $1.index }
    var ordered: [CodeBlock] = []
    ordered.reserveCapacity(count)
    var lastIndex: UInt32 = 0
    for place in order {
      let block = self[Int(place.index)]
      if let last = ordered.last {
        if last.start == block.start { continue }
        // A constant is a signal trampoline here, which begins one byte early.
        let isWorse = block.source != .constant && (block.source != last.source || block.part != last.part)
        if block.start < last.end, place.index > lastIndex, isWorse { continue }
      }
      ordered.append(block)
      lastIndex = place.index
    }
    return ordered
  }
}
