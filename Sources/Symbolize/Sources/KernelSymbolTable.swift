/// The kernel's functions as recorded, ready to be looked up.
package struct KernelSymbolTable: Sendable {
  package struct Symbol: Hashable, Sendable {
    /// An address of the kernel's own address space.
    package var address: UInt64
    /// 0 when it reaches up to the next symbol.
    package var byteCount: UInt64
    package var name: String
    /// Empty for the kernel itself; `bpf` for BPF programs.
    package var module: String
    package init(address: UInt64, byteCount: UInt64, name: String, module: String) {
      self.address = address
      self.byteCount = byteCount
      self.name = name
      self.module = module
    }
  }
  /// A symbol without a size does not reach further than this: the next one may be in another part of memory.
  static let maximumSizelessByteCount: UInt64 = 1 << 20

  /// Sorted by address; of several at one address, the best alone.
  private let symbols: [Symbol]

  /// - Parameter symbols: in any order.
  package init(_ symbols: [Symbol]) {
    let sorted = symbols.enumerated().sorted { a, b in
      if a.element.address != b.element.address { return a.element.address < b.element.address }
      let underscores = (Self.underscoreCount(a.element.name), Self.underscoreCount(b.element.name))
      if underscores.0 != underscores.1 { return underscores.0 < underscores.1 }
      let lengths = (a.element.name.utf8.count, b.element.name.utf8.count)
      if lengths.0 != lengths.1 { return lengths.0 > lengths.1 }
      return a.offset < b.offset
    }
    var kept: [Symbol] = []
    kept.reserveCapacity(sorted.count)
    for (_, symbol) in sorted where kept.last?.address != symbol.address { kept.append(symbol) }
    self.symbols = kept
  }

  /// The function that covers `address`; `nil` when none does.
  package func symbol(at address: UInt64) -> Symbol? {
    var low = 0
    var high = symbols.count
    while low < high {
      let middle = (low + high) / 2
      if symbols[middle].address <= address { low = middle + 1 } else { high = middle }
    }
    guard low > 0 else { return nil }
    let symbol = symbols[low - 1]
    let distance = address - symbol.address
    let reach = symbol.byteCount == 0 ? Self.maximumSizelessByteCount : symbol.byteCount
    return distance < reach ? symbol : nil
  }

  private static func underscoreCount(_ name: String) -> Int { name.utf8.prefix { $0 == UInt8(ascii: "_") }.count }
}
