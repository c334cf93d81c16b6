import Base

extension ElfFile {
  /// The defined dynamic symbol of that name, by the GNU hash table (`DT_GNU_HASH`), else by looking through them all; `nil` when there is none.
  package func dynamicSymbol(named name: StaticString) -> ElfSymbol? {
    guard let table = dynamicSymbolTable else { return nil }
    if let gnuHash = dynamicSection?.gnuHash, header.fileClass == .elf64 {
      return try? Self.find(name, in: table, hash: bytes(at: gnuHash, .max))
    }
    for index in 0..<table.count {
      let symbol = table[index]
      if symbol.section != 0, Self.isEqual(table.name(at: symbol.nameOffset), name) { return symbol }
    }
    return nil
  }

  private static func find(
    _ name: StaticString, in table: borrowing ElfSymbolTable, hash: RawSpan
  ) throws(MalformedInput) -> ElfSymbol? {
    var wanted: UInt32 = 5381
    // Safe: `index` is below the string's own count.
    for index in 0..<name.utf8CodeUnitCount { wanted = unsafe wanted &* 33 &+ UInt32(name.utf8Start[index]) }
    var cursor = ByteCursor(hash)
    let bucketCount: UInt32 = try cursor.read("nbuckets")
    let firstSymbol: UInt32 = try cursor.read("symoffset")
    let bloomCount: UInt32 = try cursor.read("bloom_size")
    try cursor.skip(4, "bloom_shift")
    guard bucketCount > 0 else { return nil }
    let buckets = 16 + UInt64(bloomCount) * 8
    try cursor.seek(to: buckets + UInt64(wanted % bucketCount) * 4, "bucket")
    var index: UInt32 = try cursor.read("bucket")
    guard index >= firstSymbol else { return nil }
    try cursor.seek(to: buckets + (UInt64(bucketCount) + UInt64(index - firstSymbol)) * 4, "chain")
    while Int(index) < table.count {
      let entry: UInt32 = try cursor.read("chain")
      if entry | 1 == wanted | 1 {
        let symbol = table[Int(index)]
        if symbol.section != 0, isEqual(table.name(at: symbol.nameOffset), name) { return symbol }
      }
      if entry & 1 == 1 { return nil }
      index &+= 1
    }
    return nil
  }

  private static func isEqual(_ bytes: RawSpan, _ name: StaticString) -> Bool {
    guard bytes.byteCount == name.utf8CodeUnitCount else { return false }
    for index in 0..<bytes.byteCount {
      // Safe: `index` is below the string's own count.
      guard unsafe bytes.byte(at: index) == name.utf8Start[index] else { return false }
    }
    return true
  }

  /// The values and sizes of the symbols of `.symtab` whose names begin with `prefix`, in the order of the table.
  package func symbols(withPrefix prefix: StaticString) -> [ElfSymbol] {
    guard let table = symbolTable else { return [] }
    var found: [ElfSymbol] = []
    for index in 0..<table.count {
      let symbol = table[index]
      let name = table.name(at: symbol.nameOffset)
      if symbol.section != 0, name.byteCount >= prefix.utf8CodeUnitCount,
        Self.isEqual(name.extracting(0..<prefix.utf8CodeUnitCount), prefix)
      {
        found.append(symbol)
      }
    }
    return found
  }
}
