import Base

/// Reads perf's jitdump (Linux, `tools/perf/Documentation/jitdump-specification.txt`), record by record as it grows; the
/// machine code in it is passed over.
package struct JITDumpReader: Sendable {
  /// Bytes from the start of the file that are read already.
  package private(set) var offset: UInt64 = 0
  /// Whether the rest of the file makes no sense: nothing is read any more.
  package private(set) var isDamaged = false
  /// Times are of the processor's own counter (`JITDUMP_FLAGS_ARCH_TIMESTAMP`), which says nothing here.
  private var hasOtherClock = false
  /// Names by number, for code that is moved.
  private var names: [UInt64: (name: String, byteCount: UInt64)] = [:]
  private static let maximumNames = 1 << 18
  private static let headerByteCount = 40
  private static let prefixByteCount = 16
  /// Of a load record, before its name.
  private static let loadByteCount = 40

  package init() {}

  /// - Parameters:
  ///   - byteCount: the file's size.
  ///   - maximumSymbols: stops after so many; more may be had by another call.
  ///   - read: the bytes at an offset; fewer at the end of the file.
  /// - Returns: the functions of the whole records behind what was read before, in the order of the file.
  package mutating func read(
    byteCount: UInt64, maximumSymbols: Int = 1 << 16, _ read: (UInt64, Int) -> [UInt8]
  ) -> [JITSymbol] {
    var symbols: [JITSymbol] = []
    if offset == 0, !isDamaged {
      let header = read(0, Self.headerByteCount)
      guard header.count == Self.headerByteCount else { return [] }
      let bytes = header.borrowedBytes
      // `JiTD` in the byte order of this machine; version 1.
      let total = UInt64(bytes.integer(at: 8, as: UInt32.self) ?? 0)
      guard bytes.integer(at: 0, as: UInt32.self) == 0x4a69_5444, bytes.integer(at: 4, as: UInt32.self) == 1, total >= 40 else {
        isDamaged = true
        return []
      }
      hasOtherClock = (bytes.integer(at: 32, as: UInt64.self) ?? 0) & 1 != 0
      offset = total
    }
    while !isDamaged, symbols.count < maximumSymbols, offset < byteCount {
      let prefix = read(offset, Self.prefixByteCount + Self.loadByteCount + JITSymbol.maximumNameByteCount)
      guard prefix.count >= Self.prefixByteCount else { break }
      let bytes = prefix.borrowedBytes
      let kind = bytes.integer(at: 0, as: UInt32.self) ?? 0
      let total = UInt64(bytes.integer(at: 4, as: UInt32.self) ?? 0)
      guard total >= UInt64(Self.prefixByteCount) else {
        isDamaged = true
        break
      }
      // Not written to its end yet.
      guard total <= byteCount - offset else { break }
      let record = bytes.extracting(0..<min(Int(total), bytes.byteCount))
      offset += total
      switch kind {
      case 0: load(record, &symbols)
      case 1: move(record, &symbols)
      default: break
      }
    }
    return symbols
  }

  /// `JIT_CODE_LOAD`: pid, tid, vma, address, size, number, name.
  private mutating func load(_ record: RawSpan, _ symbols: inout [JITSymbol]) {
    guard let address = record.integer(at: 32, as: UInt64.self), let byteCount = record.integer(at: 40, as: UInt64.self),
      let number = record.integer(at: 48, as: UInt64.self), byteCount > 0, address &+ byteCount > address
    else { return }
    let start = Self.prefixByteCount + Self.loadByteCount
    let name = ElfStrings.string(at: start, in: record, limit: JITSymbol.maximumNameByteCount).text()
    guard !name.isEmpty else { return }
    if names.count < Self.maximumNames { names[number] = (name, byteCount) }
    symbols.append(JITSymbol(address: address, byteCount: byteCount, name: name, nanoseconds: time(of: record)))
  }

  /// `JIT_CODE_MOVE`: pid, tid, vma, old address, new address, size, number.
  private func move(_ record: RawSpan, _ symbols: inout [JITSymbol]) {
    guard let address = record.integer(at: 40, as: UInt64.self), let byteCount = record.integer(at: 48, as: UInt64.self),
      let number = record.integer(at: 56, as: UInt64.self), let known = names[number], byteCount > 0,
      address &+ byteCount > address
    else { return }
    symbols.append(JITSymbol(address: address, byteCount: byteCount, name: known.name, nanoseconds: time(of: record)))
  }

  private func time(of record: RawSpan) -> UInt64? { hasOtherClock ? nil : record.integer(at: 8, as: UInt64.self) }
}
