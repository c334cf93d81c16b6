import Base

/// Reads a perf map (Linux, `tools/perf/Documentation/jit-interface.txt`) piece by piece as it grows: a line for each function,
/// `START SIZE NAME`, both numbers in hexadecimal, the name up to the end of the line. Other lines are passed over.
package struct PerfMapReader: Sendable {
  /// The beginning of a line whose end has not come yet; never longer than a name and its numbers.
  private var rest: [UInt8] = []
  private var isCut = false
  private static let maximumLineByteCount = JITSymbol.maximumNameByteCount + 64

  package init() {}

  /// - Parameter bytes: what follows the bytes given before.
  /// - Returns: the functions of the lines that end in them, in the order of the file.
  package mutating func read(_ bytes: RawSpan) -> [JITSymbol] {
    var symbols: [JITSymbol] = []
    var start = 0
    var place = 0
    while place < bytes.byteCount {
      guard bytes.byte(at: place) == 0x0a else {
        place += 1
        continue
      }
      keep(bytes, start, place)
      if let symbol = Self.symbol(rest) { symbols.append(symbol) }
      rest.removeAll(keepingCapacity: true)
      place += 1
      start = place
    }
    keep(bytes, start, place)
    return symbols
  }

  private mutating func keep(_ bytes: RawSpan, _ start: Int, _ end: Int) {
    let count = min(end - start, Self.maximumLineByteCount - rest.count)
    if count > 0 { rest += bytes.extracting(start..<(start + count)).copied() }
  }

  private static func symbol(_ line: [UInt8]) -> JITSymbol? {
    var place = 0
    guard let address = number(line, &place), let byteCount = number(line, &place), place < line.count else { return nil }
    var end = line.count
    if line[end - 1] == 0x0d { end -= 1 }
    guard place < end, byteCount > 0, address &+ byteCount > address else { return nil }
    return JITSymbol(
      address: address, byteCount: byteCount,
      name: String(decoding: line[place..<min(end, place + JITSymbol.maximumNameByteCount)], as: UTF8.self))
  }

  /// A hexadecimal number, with or without `0x`, and the spaces behind it.
  private static func number(_ line: [UInt8], _ place: inout Int) -> UInt64? {
    if place + 1 < line.count, line[place] == UInt8(ascii: "0"), line[place + 1] | 0x20 == UInt8(ascii: "x") { place += 2 }
    var value: UInt64 = 0
    var digits = 0
    while place < line.count {
      let byte = line[place]
      let digit: UInt8
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0")
      case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte - UInt8(ascii: "a") + 10
      case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = byte - UInt8(ascii: "A") + 10
      case UInt8(ascii: " "), UInt8(ascii: "\t"):
        while place < line.count, line[place] == UInt8(ascii: " ") || line[place] == UInt8(ascii: "\t") { place += 1 }
        return digits > 0 ? value : nil
      default: return nil
      }
      guard value >> 60 == 0 else { return nil }
      value = value << 4 | UInt64(digit)
      digits += 1
      place += 1
    }
    return nil
  }
}
