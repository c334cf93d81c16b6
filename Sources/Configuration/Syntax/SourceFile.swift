/// A configuration as text, and where its lines begin. Several files of a directory are one text, one behind the other.
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
    parts = []
  }

  /// The files of a directory, in this order; what one refers to may stand in any of them.
  package init(name: String, files: [(name: String, bytes: [UInt8])]) {
    var parts: [Part] = []
    var all: [UInt8] = []
    for file in files {
      parts.append(Part(start: all.count, file: SourceFile(name: file.name, bytes: file.bytes)))
      all += file.bytes + [0x0a]
    }
    self.init(name: name, bytes: all)
    self.parts = parts
  }

  /// Files of a directory.
  struct Part: Sendable {
    /// Where its text begins.
    var start: Int
    var file: SourceFile
    var range: Range<Int> { start..<(start + file.bytes.count) }
  }
  /// Empty for a single file.
  private(set) var parts: [Part]

  /// The stretches of the text that stand for themselves: each file of a directory, or all of it.
  var stretches: [Range<Int>] { parts.isEmpty ? [0..<bytes.count] : parts.map(\.range) }

  /// The file that `offset` lies in, and where that file begins.
  func part(at offset: Int) -> Part {
    parts.last { $0.start <= offset } ?? Part(start: 0, file: self)
  }

  /// Both 1-based; columns count bytes.
  package struct Position: Hashable, Comparable, Sendable {
    package var line: Int
    package var column: Int
    package static func < (lhs: Self, rhs: Self) -> Bool { (lhs.line, lhs.column) < (rhs.line, rhs.column) }
  }

  package func position(of offset: Int) -> Position {
    if !parts.isEmpty {
      let part = part(at: offset)
      return part.file.position(of: offset - part.start)
    }
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
