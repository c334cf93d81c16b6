package import Base
import ObjectFile

/// The functions of one image, ready to be looked up: flat arrays, names left where they lie in the file.
///
/// The image's addresses are cut into ranges that do not overlap, each belonging to the innermost function that covers it, so
/// a look-up is one binary search. What follows is what `perf report` does, made stricter where ranges nest:
/// - functions, indirect functions, and labels in executable sections count, whatever their binding;
/// - of several names of one range: not weak before weak, global before local, then fewer leading underscores, then longer,
///   then earlier in the table;
/// - a function without a size reaches to the next symbol or the end of its section; a label without a size does too, but
///   never covers any part of a function that has one; nor do the stubs of the procedure linkage table.
package struct SymbolTable: Sendable {
  /// Where the names came from, best first.
  package enum Origin: Hashable, Sendable {
    /// `.symtab`: every function there is.
    case symbolTable
    /// `.gnu_debugdata`, with `.dynsym`: every function there is.
    case miniDebugInfo
    /// `.dynsym`: what the image exports; its local functions have no names.
    case dynamicSymbols
    /// Neither: at most the stubs of the procedure linkage table.
    case none
  }
  package let origin: Origin

  /// Ascending; range `i` reaches from `starts[i]` up to `starts[i + 1]`.
  private let starts: [UInt64]
  /// The entry a range belongs to, or `nobody`.
  private let owners: [UInt32]
  private let entries: [Entry]
  private let names: [StringTable]
  private static let nobody = UInt32.max

  /// A function, or a stub.
  fileprivate struct Entry: Sendable {
    /// Bytes into the string table.
    var nameOffset: UInt32
    /// Which of `names`.
    var table: UInt8
    var isStub: Bool
  }
  fileprivate struct StringTable: Sendable {
    var image: ImageBytes
    var fileOffset: FileOffset
    var byteCount: UInt64
  }

  /// More symbols than this are not read; the largest programs known have a tenth.
  package static let maximumSymbolCount = 1 << 24

  /// How many functions can be found.
  package var count: Int { entries.count }

  /// Whether any address has a name.
  package var isEmpty: Bool { entries.isEmpty }

  /// The function at `address`, as a number for `name(of:)`; `nil` between functions.
  package func function(at address: ImageAddress) -> Int? {
    var low = 0
    var high = starts.count
    let starts = starts.span
    while low < high {
      let middle = (low &+ high) / 2
      if starts[middle] <= address.rawValue { low = middle &+ 1 } else { high = middle }
    }
    return owner(ofRange: low - 1)
  }

  /// The same for addresses that come in ascending order: looks from where the last one was found.
  /// - Parameter range: 0 before the first address; kept by the caller from one to the next.
  package func function(at address: ImageAddress, from range: inout Int) -> Int? {
    let starts = starts.span
    var low = range
    guard low < starts.count, starts[low] <= address.rawValue else {
      // Before the first range, or the order was broken.
      range = 0
      return low == 0 ? nil : function(at: address)
    }
    // Doubling steps, then halves between the last two.
    var step = 1
    while low + step < starts.count, starts[low + step] <= address.rawValue {
      low += step
      step *= 2
    }
    var high = min(low + step, starts.count)
    while high - low > 1 {
      let middle = (low &+ high) / 2
      if starts[middle] <= address.rawValue { low = middle } else { high = middle }
    }
    range = low
    return owner(ofRange: low)
  }

  private func owner(ofRange index: Int) -> Int? {
    guard index >= 0, owners[index] != Self.nobody else { return nil }
    return Int(owners[index])
  }

  /// The linkage name without its version; `name@plt` for a stub.
  /// - Parameters:
  ///   - function: what `function(at:)` gave.
  ///   - limit: bytes after which the name is cut.
  package func name(of function: Int, limit: Int = ElfStrings.maximumNameByteCount) -> String {
    let entry = entries[function]
    let table = names[Int(entry.table)]
    let bytes = table.image.bytes
    let name = SymbolTable.plainName(entry.nameOffset, in: bytes, table.fileOffset, table.byteCount, limit: limit).text()
    return entry.isStub ? name + "@plt" : name
  }

  @_lifetime(copy bytes)
  fileprivate static func plainName(
    _ offset: UInt32, in bytes: RawSpan, _ fileOffset: FileOffset, _ byteCount: UInt64, limit: Int = ElfStrings.maximumNameByteCount
  ) -> RawSpan {
    let start = min(Int(clamping: fileOffset.rawValue), bytes.byteCount)
    let end = min(start + min(Int(clamping: byteCount), bytes.byteCount), bytes.byteCount)
    let strings = bytes.extracting(start..<end)
    let name = ElfStrings.string(at: Int(offset), in: strings, limit: limit)
    return name.extracting(0..<ElfVersions.plainNameByteCount(name))
  }
}

// MARK: - Building

extension SymbolTable {
  /// A symbol that may end up in the table.
  private struct Candidate {
    var start: UInt64
    /// One past its last byte; `start` until a size is found for it.
    var end: UInt64
    /// What it may not reach beyond, however far away the next symbol is.
    var limit: UInt64
    var nameOffset: UInt32
    var table: UInt8
    var binding: UInt8
    var flags: UInt8

    static let isStub: UInt8 = 1
    /// Only where nothing else is.
    static let fillsGaps: UInt8 = 2
    static let isSizeless: UInt8 = 4

    func has(_ flag: UInt8) -> Bool { flags & flag != 0 }
  }

  /// The functions of `image`, from the best table there is: the debug file's `.symtab`, the image's own, its `.dynsym`.
  /// - Parameters:
  ///   - image: the mapped file or its copy.
  ///   - debugFile: the separate debug file that belongs to it.
  /// - Throws: `MalformedInput` when a file's headers cannot be read.
  package init(image: ImageBytes?, debugFile: ImageBytes?) throws(MalformedInput) {
    var candidates: [Candidate] = []
    var names: [StringTable] = []
    var origin = Origin.none
    var resolvers: [UInt64: [Candidate]] = [:]

    if let debugFile {
      let file = try ElfFile(debugFile.bytes)
      if let table = file.symbolTable {
        Self.collect(table, of: file, in: debugFile, &candidates, &names, &resolvers)
        if !candidates.isEmpty { origin = .symbolTable }
      }
    }
    if let image {
      let file = try ElfFile(image.bytes)
      if origin == .none, let table = file.symbolTable {
        Self.collect(table, of: file, in: image, &candidates, &names, &resolvers)
        if !candidates.isEmpty { origin = .symbolTable }
      }
      if origin == .none, let mini = Self.miniDebugInfo(of: file) {
        let inner = try ElfFile(mini.bytes)
        if let table = inner.symbolTable { Self.collect(table, of: inner, in: mini, &candidates, &names, &resolvers) }
        if !candidates.isEmpty { origin = .miniDebugInfo }
      }
      if let table = file.dynamicSymbolTable {
        // MiniDebugInfo leaves out what the dynamic table has.
        if origin == .none || origin == .miniDebugInfo {
          Self.collect(table, of: file, in: image, &candidates, &names, &resolvers)
          if origin == .none, !candidates.isEmpty { origin = .dynamicSymbols }
        }
        names.append(StringTable(image: image, fileOffset: table.stringsOffset, byteCount: UInt64(table.strings.byteCount)))
        Self.collectStubs(of: file, table, UInt8(names.count - 1), resolvers, names, &candidates)
      } else if !resolvers.isEmpty {
        Self.collectStubs(of: file, nil, 0, resolvers, names, &candidates)
      }
    }
    self.origin = origin
    self.names = names
    (starts, owners, entries) = Self.cut(&candidates, names)
  }

  /// The file of symbols in a stripped image; `nil` when there is none or it is damaged: there are other tables.
  private static func miniDebugInfo(of file: borrowing ElfFile) -> ImageBytes? {
    (try? file.miniDebugInfo()).flatMap { $0 }.flatMap { try? ImageBytes($0) }
  }

  /// The addresses of a section; none when it is not in memory.
  private struct Extent {
    var start: UInt64 = 0
    var end: UInt64 = 0
    var isExecutable = false

    init(_ section: ElfSection) {
      guard section.isAllocated, let end = section.address.adding(section.byteCount) else { return }
      start = section.address.rawValue
      self.end = end.rawValue
      isExecutable = section.isExecutable
    }
  }

  private static func collect(
    _ table: borrowing ElfSymbolTable, of file: borrowing ElfFile, in image: ImageBytes, _ candidates: inout [Candidate],
    _ names: inout [StringTable], _ resolvers: inout [UInt64: [Candidate]]
  ) {
    names.append(StringTable(image: image, fileOffset: table.stringsOffset, byteCount: UInt64(table.strings.byteCount)))
    let tableNumber = UInt8(names.count - 1)
    let count = min(table.count, maximumSymbolCount)
    let sections = file.sections.map(Extent.init)
    // Of relocatable files the values are offsets into sections, which are no addresses.
    guard file.header.type != 1 else { return }
    let hasMappingSymbols = file.header.machine == .aarch64
    candidates.reserveCapacity(count)
    var resolverCount = 0
    let function = ElfSymbol.Kind.function.rawValue
    let indirectFunction = ElfSymbol.Kind.indirectFunction.rawValue
    let none = ElfSymbol.Kind.none.rawValue
    let (undefined, common) = (ElfSymbol.undefinedSection, ElfSymbol.commonSection)
    for index in 0..<count {
      let symbol = table[index]
      // Most symbols of a large program pass here: plain numbers, since calls into another room are not inlined.
      let kind = symbol.info & 15
      guard kind == function || kind == indirectFunction || kind == none, symbol.nameOffset != 0 else { continue }
      let section = symbol.section == 0xffff ? table.sectionIndex(of: symbol, at: index) : UInt32(symbol.section)
      guard section != undefined, section != common else { continue }
      var limit: UInt64
      if let small = Int(exactly: section), small < sections.count {
        let section = sections[small]
        guard section.isExecutable || kind != none, symbol.value >= section.start, symbol.value < section.end else { continue }
        limit = section.end
      } else {
        // No section headers, or an absolute address: the segment decides.
        guard kind != none, let end = executableEnd(of: symbol.value, in: file) else { continue }
        limit = end
      }
      let first = table.strings.byte(at: Int(symbol.nameOffset)) ?? 0
      guard first != 0 else { continue }
      if first == UInt8(ascii: "$"), hasMappingSymbols, isMappingSymbol(symbol.nameOffset, table.strings) { continue }
      if first == UInt8(ascii: "."), kind == none, isAssemblerLabel(symbol.nameOffset, table.strings) { continue }
      var flags: UInt8 = 0
      var end = symbol.value
      if symbol.byteCount == 0 {
        flags |= Candidate.isSizeless
        if kind == none { flags |= Candidate.fillsGaps }
      } else {
        end = min(symbol.value.addingReportingOverflow(symbol.byteCount).overflow ? .max : symbol.value + symbol.byteCount, limit)
      }
      limit = max(limit, end)
      let candidate = Candidate(
        start: symbol.value, end: end, limit: limit, nameOffset: symbol.nameOffset, table: tableNumber,
        binding: symbol.info >> 4, flags: flags)
      candidates.append(candidate)
      if kind == indirectFunction, resolverCount < maximumResolverCount {
        resolvers[symbol.value, default: []].append(candidate)
        resolverCount += 1
      }
    }
  }

  /// Names are compared up to here, so that a file full of equal symbols with one endless name stays cheap.
  private static let comparedByteCount = 512
  /// Names of one indirect function that are compared for its stub.
  private static let maximumAliasCount = 16
  /// Indirect functions; a C library has a few hundred.
  private static let maximumResolverCount = 1 << 16

  private static func executableEnd(of address: UInt64, in file: borrowing ElfFile) -> UInt64? {
    for segment in file.segments where segment.kind == .load && segment.isExecutable {
      if let distance = ImageAddress(address).distance(from: segment.address), distance < segment.memoryByteCount {
        return segment.address.adding(segment.memoryByteCount)?.rawValue
      }
    }
    return nil
  }

  /// `$x`, `$d`, and the same with a dot and more (ELF for the Arm 64-bit Architecture, "Mapping symbols").
  private static func isMappingSymbol(_ offset: UInt32, _ strings: RawSpan) -> Bool {
    let second = strings.byte(at: Int(offset) + 1)
    let third = strings.byte(at: Int(offset) + 2)
    return (second == UInt8(ascii: "x") || second == UInt8(ascii: "d")) && (third == 0 || third == UInt8(ascii: "."))
  }

  /// `.L…` of assemblers and `.annobin…` of a compiler plugin: places, not functions.
  private static func isAssemblerLabel(_ offset: UInt32, _ strings: RawSpan) -> Bool {
    let second = strings.byte(at: Int(offset) + 1)
    return second == UInt8(ascii: "L")
      || second == UInt8(ascii: "a") && strings.byte(at: Int(offset) + 2) == UInt8(ascii: "n")
        && strings.byte(at: Int(offset) + 3) == UInt8(ascii: "n")
  }

  private static func collectStubs(
    of file: borrowing ElfFile, _ table: ElfSymbolTable?, _ tableNumber: UInt8,
    _ resolvers: [UInt64: [Candidate]], _ names: [StringTable], _ candidates: inout [Candidate]
  ) {
    for stub in PLTStubs.stubs(of: file) {
      guard let end = stub.address.adding(stub.byteCount) else { continue }
      var name: (UInt32, UInt8)?
      switch stub.target {
      case .dynamicSymbol(let index):
        if let count = table?.count, let small = Int(exactly: index), small < count, let symbol = table?[small],
          symbol.nameOffset != 0
        {
          name = (symbol.nameOffset, tableNumber)
        }
      case .resolver(let address):
        if let best = plainest(of: resolvers[address.rawValue] ?? [], names) { name = (best.nameOffset, best.table) }
      }
      guard let name else { continue }
      candidates.append(
        Candidate(
          start: stub.address.rawValue, end: end.rawValue, limit: end.rawValue, nameOffset: name.0, table: name.1,
          binding: ElfSymbol.Binding.global.rawValue, flags: Candidate.isStub | Candidate.fillsGaps))
    }
  }

  /// Cuts the candidates into ranges that do not overlap.
  private static func cut(
    _ candidates: inout [Candidate], _ names: [StringTable]
  ) -> (starts: [UInt64], owners: [UInt32], entries: [Entry]) {
    guard !candidates.isEmpty else { return ([], [], []) }
    sort(&candidates, names)
    giveSizes(&candidates)

    var starts: [UInt64] = []
    var owners: [UInt32] = []
    var entries: [Entry] = []
    starts.reserveCapacity(candidates.count * 2)
    owners.reserveCapacity(candidates.count * 2)
    entries.reserveCapacity(candidates.count)
    /// What covers the place reached, innermost last.
    var open: [(end: UInt64, entry: UInt32)] = []

    func begin(_ start: UInt64, _ owner: UInt32) {
      if starts.last == start {
        owners[owners.count - 1] = owner
      } else if owners.last != owner {
        starts.append(start)
        owners.append(owner)
      }
    }
    /// Ends what ends at or before `place`.
    func close(upTo place: UInt64) {
      while let top = open.last, top.end <= place {
        open.removeLast()
        // What lies below may have ended before.
        while let below = open.last, below.end <= top.end { open.removeLast() }
        begin(top.end, open.last?.entry ?? nobody)
      }
    }

    var lastStart: UInt64?
    var lastEnd: UInt64 = 0
    for candidate in candidates where candidate.end > candidate.start {
      close(upTo: candidate.start)
      if candidate.has(Candidate.fillsGaps), !open.isEmpty { continue }
      // The best name of a range comes first, and is the one that counts.
      if lastStart == candidate.start, lastEnd == candidate.end { continue }
      lastStart = candidate.start
      lastEnd = candidate.end
      let number = UInt32(entries.count)
      entries.append(
        Entry(nameOffset: candidate.nameOffset, table: candidate.table, isStub: candidate.has(Candidate.isStub)))
      begin(candidate.start, number)
      open.append((candidate.end, number))
    }
    close(upTo: .max)
    return (starts, owners, entries)
  }

  /// The name a caller would have written: the fewest leading underscores, then the shortest (`strnlen`, not `__GI___strnlen`).
  private static func plainest(of group: [Candidate], _ names: [StringTable]) -> Candidate? {
    var best: (candidate: Candidate, underscoreCount: Int, nameByteCount: Int)?
    for candidate in group.prefix(maximumAliasCount) {
      let table = names[Int(candidate.table)]
      let name = plainName(
        candidate.nameOffset, in: table.image.bytes, table.fileOffset, table.byteCount, limit: comparedByteCount)
      var underscoreCount = 0
      while name.byte(at: underscoreCount) == UInt8(ascii: "_") { underscoreCount += 1 }
      if let best, (best.underscoreCount, best.nameByteCount) <= (underscoreCount, name.byteCount) { continue }
      best = (candidate, underscoreCount, name.byteCount)
    }
    return best?.candidate
  }

  /// By start, then the longest first, then the best name first.
  private static func sort(_ candidates: inout [Candidate], _ names: [StringTable]) {
    // Sorting plain numbers that hold the address and the index is several times faster than sorting the structures.
    var lowest = UInt64.max
    var highest: UInt64 = 0
    for candidate in candidates {
      lowest = min(lowest, candidate.start)
      highest = max(highest, candidate.start)
    }
    if highest - lowest < 1 << 40, candidates.count <= 1 << 24 {
      var keys: [UInt64] = []
      keys.reserveCapacity(candidates.count)
      for index in candidates.indices { keys.append((candidates[index].start - lowest) << 24 | UInt64(index)) }
      keys.sortNumbers(fromBit: 24)
      var sorted: [Candidate] = []
      sorted.reserveCapacity(candidates.count)
      for key in keys { sorted.append(candidates[Int(key & 0xff_ffff)]) }
      candidates = sorted
    } else {
      // Stable, as the other way is.
      candidates.sort { $0.start < $1.start }
    }
    var first = 0
    while first < candidates.count {
      var end = first + 1
      while end < candidates.count, candidates[end].start == candidates[first].start { end += 1 }
      if end - first > 1 {
        let order = rank(candidates[first..<end], names)
        candidates.replaceSubrange(first..<end, with: order)
      }
      first = end
    }
  }

  /// The symbols of one start, the longest first, and the best name first of those of one length.
  private static func rank(_ group: ArraySlice<Candidate>, _ names: [StringTable]) -> [Candidate] {
    struct Key {
      var candidate: Candidate
      var underscoreCount: Int
      var nameByteCount: Int
    }
    let keys = group.map { candidate in
      let table = names[Int(candidate.table)]
      let name = plainName(candidate.nameOffset, in: table.image.bytes, table.fileOffset, table.byteCount, limit: comparedByteCount)
      var underscoreCount = 0
      while name.byte(at: underscoreCount) == UInt8(ascii: "_") { underscoreCount += 1 }
      return Key(candidate: candidate, underscoreCount: underscoreCount, nameByteCount: name.byteCount)
    }
    let sorted = keys.sorted { a, b in
      if a.candidate.end != b.candidate.end { return a.candidate.end > b.candidate.end }
      let fills = (a.candidate.has(Candidate.fillsGaps), b.candidate.has(Candidate.fillsGaps))
      if fills.0 != fills.1 { return fills.1 }
      let weak = ElfSymbol.Binding.weak.rawValue
      if (a.candidate.binding == weak) != (b.candidate.binding == weak) { return b.candidate.binding == weak }
      let global = ElfSymbol.Binding.global.rawValue
      if (a.candidate.binding == global) != (b.candidate.binding == global) { return a.candidate.binding == global }
      if a.underscoreCount != b.underscoreCount { return a.underscoreCount < b.underscoreCount }
      return a.nameByteCount > b.nameByteCount
    }
    return sorted.map(\.candidate)
  }

  /// Lets each symbol without a size reach up to the next one; where another of the same start has a size, it goes.
  private static func giveSizes(_ candidates: inout [Candidate]) {
    var next = UInt64.max
    var index = candidates.count
    while index > 0 {
      // The group of one start, from its end: the sizeless ones come last, having the lowest end.
      let start = candidates[index - 1].start
      var first = index - 1
      while first > 0, candidates[first - 1].start == start { first -= 1 }
      let hasSize = !candidates[first].has(Candidate.isSizeless)
      for member in first..<index where candidates[member].has(Candidate.isSizeless) && !hasSize {
        candidates[member].end = min(next, candidates[member].limit)
      }
      next = start
      index = first
    }
  }
}
