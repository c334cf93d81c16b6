import Base
import ObjectFile

/// The symbols that may end up in a table, in few bytes: of a large program it is memory that takes the time.
struct SymbolCandidates {
  /// A symbol that may end up in the table.
  struct Candidate {
    var start: UInt64
    /// One past its last byte; `start` until a size is found for it.
    var end: UInt64
    /// What it may not reach beyond, however far away the next symbol is.
    var limit: UInt64
    var nameOffset: UInt32
    var table: UInt8
    var binding: UInt8
    var flags: UInt8

    func has(_ flag: UInt8) -> Bool { flags & flag != 0 }
  }
  static let isStub: UInt8 = 1
  /// Only where nothing else is.
  static let fillsGaps: UInt8 = 2
  static let isSizeless: UInt8 = 4

  /// A candidate but for its start.
  private struct Packed {
    var nameOffset: UInt32
    /// `UInt32.max` for all there is up to the limit.
    var byteCount: UInt32
    /// Of `limits`.
    var limit: UInt16
    var table: UInt8
    /// The binding, and above it the flags.
    var traits: UInt8
  }
  /// By candidate, in the order they were found.
  private(set) var starts: [UInt64] = []
  private var packed: [Packed] = []
  /// The ends of sections and segments; the first is none.
  private var limits: [UInt64] = [.max]
  /// Indirect functions, by where they are.
  private var resolvers: [UInt64: [Candidate]] = [:]
  private var resolverCount = 0

  var isEmpty: Bool { starts.isEmpty }
  var count: Int { starts.count }
  var hasResolvers: Bool { !resolvers.isEmpty }

  @inline(__always) func candidate(_ index: Int, start: UInt64) -> Candidate {
    let packed = packed[index]
    let limit = limits[Int(packed.limit)]
    var end = limit
    if packed.byteCount != .max {
      let sum = start.addingReportingOverflow(UInt64(packed.byteCount))
      end = sum.overflow ? limit : min(sum.partialValue, limit)
    }
    return Candidate(
      start: start, end: end, limit: limit, nameOffset: packed.nameOffset, table: packed.table, binding: packed.traits & 15,
      flags: packed.traits >> 4)
  }

  @inline(__always) private mutating func append(
    _ start: UInt64, _ byteCount: UInt64, limit: Int, _ nameOffset: UInt32, _ table: UInt8, binding: UInt8, flags: UInt8
  ) {
    starts.append(start)
    packed.append(
      Packed(
        nameOffset: nameOffset, byteCount: UInt32(clamping: byteCount), limit: UInt16(truncatingIfNeeded: limit), table: table,
        traits: binding | flags << 4))
  }

  /// The addresses of a section; none when it is not in memory.
  private struct Extent {
    var start: UInt64 = 0
    var end: UInt64 = 0
    /// Its end, in `limits`.
    var limit = 0
    var isExecutable = false

    init(_ section: ElfSection) {
      guard section.isAllocated, let end = section.address.adding(section.byteCount) else { return }
      start = section.address.rawValue
      self.end = end.rawValue
      isExecutable = section.isExecutable
    }
  }

  /// The number of a limit; `nil` when there is no room for more: no file has as many sections with code.
  private mutating func number(ofLimit limit: UInt64) -> Int? {
    // Segments come again and again, and are few.
    if let known = limits.suffix(16).lastIndex(of: limit) { return known }
    guard limits.count <= Int(UInt16.max) else { return nil }
    limits.append(limit)
    return limits.count - 1
  }

  mutating func collect(
    _ table: borrowing ElfSymbolTable, of file: borrowing ElfFile, in image: ImageBytes, _ names: inout [SymbolTable.StringTable]
  ) {
    names.append(
      SymbolTable.StringTable(image: image, fileOffset: table.stringsOffset, byteCount: UInt64(table.strings.byteCount)))
    let tableNumber = UInt8(names.count - 1)
    let count = min(table.count, SymbolTable.maximumSymbolCount)
    // Of relocatable files the values are offsets into sections, which are no addresses.
    guard file.header.type != 1 else { return }
    var sections = file.sections.map(Extent.init)
    for index in sections.indices where sections[index].end > sections[index].start {
      sections[index].limit = number(ofLimit: sections[index].end) ?? 0
    }
    let hasMappingSymbols = file.header.machine == .aarch64
    starts.reserveCapacity(starts.count + count)
    packed.reserveCapacity(packed.count + count)
    let function = ElfSymbol.Kind.function.rawValue
    let indirectFunction = ElfSymbol.Kind.indirectFunction.rawValue
    let none = ElfSymbol.Kind.none.rawValue
    let (undefined, common) = (ElfSymbol.undefinedSection, ElfSymbol.commonSection)
    let stringsByteCount = table.strings.byteCount
    for index in 0..<count {
      let symbol = table[index]
      // Most symbols of a large program pass here: plain numbers, since calls into another room are not inlined.
      let kind = symbol.info & 15
      guard kind == function || kind == indirectFunction || kind == none, symbol.nameOffset != 0,
        Int(symbol.nameOffset) < stringsByteCount
      else { continue }
      let section = symbol.section == 0xffff ? table.sectionIndex(of: symbol, at: index) : UInt32(symbol.section)
      guard section != undefined, section != common else { continue }
      let limit: Int
      if let small = Int(exactly: section), small < sections.count {
        let section = sections[small]
        guard section.isExecutable || kind != none, symbol.value >= section.start, symbol.value < section.end else { continue }
        limit = section.limit
      } else {
        // No section headers, or an absolute address: the segment decides.
        guard kind != none, let end = Self.executableEnd(of: symbol.value, in: file), let known = number(ofLimit: end) else {
          continue
        }
        limit = known
      }
      // Names are looked at where they decide something: they lie all over the file.
      if kind == none || hasMappingSymbols {
        let first = table.strings.byte(at: Int(symbol.nameOffset)) ?? 0
        if first == UInt8(ascii: "$"), hasMappingSymbols, Self.isMappingSymbol(symbol.nameOffset, table.strings) { continue }
        if first == UInt8(ascii: "."), kind == none, Self.isAssemblerLabel(symbol.nameOffset, table.strings) { continue }
        if first == 0 { continue }
      }
      var flags: UInt8 = 0
      if symbol.byteCount == 0 {
        flags |= Self.isSizeless
        if kind == none { flags |= Self.fillsGaps }
      }
      append(
        symbol.value, symbol.byteCount, limit: limit, symbol.nameOffset, tableNumber, binding: symbol.info >> 4, flags: flags)
      if kind == indirectFunction, resolverCount < Self.maximumResolverCount {
        resolvers[symbol.value, default: []].append(candidate(starts.count - 1, start: symbol.value))
        resolverCount += 1
      }
    }
  }

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

  mutating func collectStubs(
    of file: borrowing ElfFile, _ table: ElfSymbolTable?, _ tableNumber: UInt8, _ names: [SymbolTable.StringTable]
  ) {
    for stub in PLTStubs.stubs(of: file) {
      guard stub.address.adding(stub.byteCount) != nil else { continue }
      var name: (UInt32, UInt8)?
      switch stub.target {
      case .dynamicSymbol(let index):
        if let count = table?.count, let small = Int(exactly: index), small < count, let symbol = table?[small],
          symbol.nameOffset != 0
        {
          name = (symbol.nameOffset, tableNumber)
        }
      case .resolver(let address):
        if let best = SymbolNameRank.plainest(of: resolvers[address.rawValue] ?? [], names) {
          name = (best.nameOffset, best.table)
        }
      }
      guard let name else { continue }
      append(
        stub.address.rawValue, stub.byteCount, limit: 0, name.0, name.1, binding: ElfSymbol.Binding.global.rawValue,
        flags: Self.isStub | Self.fillsGaps)
    }
  }
}
