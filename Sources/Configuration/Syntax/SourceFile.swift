/// A configuration as text, and where its lines begin.
package struct SourceFile: Sendable {
  /// Bytes of a configuration; what people write by hand is a thousandth of it.
  package static let maximumByteCount = 4 << 20

  /// As messages name it.
  package let name: String
  package let bytes: [UInt8]
  private let lineStarts: [Int]

  package init(name: String, bytes: [UInt8]) {
    self.name = name
    self.bytes = bytes
    var starts = [0]
    for (offset, byte) in bytes.enumerated() where byte == 0x0a { starts.append(offset + 1) }
    lineStarts = starts
  }

  /// Both 1-based; columns count bytes.
  package struct Position: Hashable, Comparable, Sendable {
    package var line: Int
    package var column: Int
    package static func < (lhs: Self, rhs: Self) -> Bool { (lhs.line, lhs.column) < (rhs.line, rhs.column) }
  }

  package func position(of offset: Int) -> Position {
    var low = 0
    var high = lineStarts.count
    while low + 1 < high {
      let middle = (low + high) / 2
      if lineStarts[middle] <= offset { low = middle } else { high = middle }
    }
    return Position(line: low + 1, column: offset - lineStarts[low] + 1)
  }

  var lineCount: Int { lineStarts.count }

  /// The bytes of a line, without its end, and where they begin.
  func line(_ number: Int) -> (start: Int, bytes: ArraySlice<UInt8>) {
    let start = lineStarts[number - 1]
    let end = number < lineStarts.count ? lineStarts[number] - 1 : bytes.count
    return (start, bytes[start..<max(start, end)])
  }

  func text(_ range: SourceRange) -> String { String(decoding: bytes[range.start..<range.end], as: UTF8.self) }
}

/// Byte offsets in a file, the end not included.
package struct SourceRange: Hashable, Sendable {
  package var start: Int
  package var end: Int
  func joined(with other: SourceRange) -> SourceRange { SourceRange(start: min(start, other.start), end: max(end, other.end)) }
}
