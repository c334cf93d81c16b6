package import ObjectFile

/// Names of code that a process made while it ran.
package struct JITSymbolTable: Sendable {
  private let symbols: [JITSymbol]

  /// - Parameter symbols: in the order they were recorded; where two overlap, the later one counts.
  package init(_ symbols: [JITSymbol]) { self.symbols = symbols }

  package var isEmpty: Bool { symbols.isEmpty }

  /// - Parameter addresses: ascending.
  /// - Returns: the name at each; `nil` between functions.
  package func names(at addresses: [UInt64]) -> [String?] {
    let order = symbols.indices.sorted { (symbols[$0].address, $0) < (symbols[$1].address, $1) }
    /// What begins at or before the address reached, the last recorded on top.
    var open = LatestFirst()
    var next = 0
    return addresses.map { address in
      while next < order.count, symbols[order[next]].address <= address {
        open.push(order[next])
        next += 1
      }
      while let latest = open.first {
        if address &- symbols[latest].address < symbols[latest].byteCount { return symbols[latest].name }
        // Addresses ascend: what ended is never needed again.
        open.removeFirst()
      }
      return nil
    }
  }

  /// A heap of numbers, the greatest first.
  private struct LatestFirst {
    private var numbers: [Int] = []
    var first: Int? { numbers.first }

    mutating func push(_ number: Int) {
      var place = numbers.count
      numbers.append(number)
      while place > 0, numbers[(place - 1) / 2] < number {
        numbers.swapAt(place, (place - 1) / 2)
        place = (place - 1) / 2
      }
    }

    mutating func removeFirst() {
      guard let last = numbers.popLast(), !numbers.isEmpty else { return }
      numbers[0] = last
      var place = 0
      while true {
        var child = 2 * place + 1
        guard child < numbers.count else { return }
        if child + 1 < numbers.count, numbers[child + 1] > numbers[child] { child += 1 }
        guard numbers[child] > numbers[place] else { return }
        numbers.swapAt(child, place)
        place = child
      }
    }
  }
}
