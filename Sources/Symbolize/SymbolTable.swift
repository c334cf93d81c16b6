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
  static let nobody = UInt32.max

  /// A function, or a stub.
  struct Entry: Sendable {
    /// Bytes into the string table.
    var nameOffset: UInt32
    /// Which of `names`.
    var table: UInt8
    var isStub: Bool
  }
  struct StringTable: Sendable {
    var image: ImageBytes
    var fileOffset: FileOffset
    var byteCount: UInt64
  }

  /// More symbols than this are not read; the largest programs known have a tenth.
  package static let maximumSymbolCount = 1 << 24

  /// What it takes in memory, without the files.
  var byteCount: Int {
    starts.count * MemoryLayout<UInt64>.stride + owners.count * MemoryLayout<UInt32>.stride
      + entries.count * MemoryLayout<Entry>.stride
  }
  /// What its names lie in.
  var files: [ImageBytes] { names.map(\.image) }

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
  static func plainName(
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
  /// The functions of `image`, from the best table there is: the debug file's `.symtab`, the image's own, its `.dynsym`.
  /// - Parameters:
  ///   - image: the mapped file or its copy.
  ///   - debugFile: the separate debug file that belongs to it.
  /// - Throws: `MalformedInput` when a file's headers cannot be read.
  package init(image: ImageBytes?, debugFile: ImageBytes?) throws(MalformedInput) {
    var candidates = SymbolCandidates()
    var names: [StringTable] = []
    var origin = Origin.none

    if let debugFile {
      let file = try ElfFile(debugFile.bytes)
      if let table = file.symbolTable {
        candidates.collect(table, of: file, in: debugFile, &names)
        if !candidates.isEmpty { origin = .symbolTable }
      }
    }
    if let image {
      let file = try ElfFile(image.bytes)
      if origin == .none, let table = file.symbolTable {
        candidates.collect(table, of: file, in: image, &names)
        if !candidates.isEmpty { origin = .symbolTable }
      }
      if origin == .none, let mini = Self.miniDebugInfo(of: file) {
        let inner = try ElfFile(mini.bytes)
        if let table = inner.symbolTable { candidates.collect(table, of: inner, in: mini, &names) }
        if !candidates.isEmpty { origin = .miniDebugInfo }
      }
      if let table = file.dynamicSymbolTable {
        // MiniDebugInfo leaves out what the dynamic table has.
        if origin == .none || origin == .miniDebugInfo {
          candidates.collect(table, of: file, in: image, &names)
          if origin == .none, !candidates.isEmpty { origin = .dynamicSymbols }
        }
        names.append(StringTable(image: image, fileOffset: table.stringsOffset, byteCount: UInt64(table.strings.byteCount)))
        candidates.collectStubs(of: file, table, UInt8(names.count - 1), names)
      } else if candidates.hasResolvers {
        candidates.collectStubs(of: file, nil, 0, names)
      }
    }
    self.origin = origin
    self.names = names
    (starts, owners, entries) = candidates.ranges(names)
  }

  /// The file of symbols in a stripped image; `nil` when there is none or it is damaged: there are other tables.
  private static func miniDebugInfo(of file: borrowing ElfFile) -> ImageBytes? {
    (try? file.miniDebugInfo()).flatMap { $0 }.flatMap { try? ImageBytes($0) }
  }
}
