package import Base

/// Reads the part of YAML 1.2 that configurations are written in, JSON among it: block and flow mappings and sequences, quoted and
/// plain scalars, literal and folded blocks, comments. Anchors, aliases, tags, `? ` keys and scalars over several lines are
/// refused with their line, as is a key that comes twice.
///
/// A plain scalar is a text unless it is one of the words for null, true and false; numbers stay as they are written, unless
/// they are asked for.
package struct YAMLReader {
  package struct Failure: Error, Hashable, CustomStringConvertible {
    /// Counts from 1.
    package let line: Int
    let message: String
    package var description: String { "line \(line): \(message)" }
  }

  static let maximumDepth = 32
  package static let maximumBytes = 4 << 20

  struct Line {
    /// Of its first byte that is no space; the line's end for an empty one.
    var start: Int
    /// Behind its last byte.
    var end: Int
    var indent: Int
    var number: Int
  }

  let bytes: [UInt8]
  let readsNumbers: Bool
  var lines: [Line] = []
  /// The line that is read next.
  var at = 0

  /// - Parameter readsNumbers: whether `1`, `-2.5`, `1e3` and `0x1f` without quotes are numbers.
  package static func read(_ bytes: [UInt8], readsNumbers: Bool = false) throws(Failure) -> JSONValue {
    guard bytes.count <= maximumBytes else { throw Failure(line: 1, message: "the file is larger than \(maximumBytes >> 20) MiB") }
    var reader = YAMLReader(bytes: bytes, readsNumbers: readsNumbers)
    try reader.cutIntoLines()
    let value = try reader.block(minimumIndent: 0, depth: 0)
    reader.skipEmptyLines()
    if reader.at < reader.lines.count { throw Failure(line: reader.lines[reader.at].number, message: "this belongs to nothing before it") }
    return value
  }

  private init(bytes: [UInt8], readsNumbers: Bool) {
    self.bytes = bytes
    self.readsNumbers = readsNumbers
  }

  /// A text of the file as messages show it.
  func shown(_ text: String) -> String { text.count > 100 ? text.prefix(100) + "…" : text }

  private mutating func cutIntoLines() throws(Failure) {
    var start = bytes.starts(with: [0xef, 0xbb, 0xbf]) ? 3 : 0
    var number = 1
    while start < bytes.count {
      var end = bytes[start...].firstIndex(of: 0x0a) ?? bytes.count
      let next = end + 1
      if end > start, bytes[end - 1] == 0x0d { end -= 1 }
      let first = bytes[start..<end].firstIndex { $0 != 0x20 } ?? end
      let line = Line(start: first, end: end, indent: first - start, number: number)
      let text = bytes[first..<end]
      if first == start, text.elementsEqual("---".utf8) || text.starts(with: "--- ".utf8) {
        guard lines.allSatisfy({ isEmpty($0) }), text.count == 3 else {
          throw Failure(line: number, message: "only one document is read, and nothing behind its ---")
        }
        lines = []
      } else if first == start, text.elementsEqual("...".utf8) {
        return
      } else {
        lines.append(line)
      }
      start = next
      number += 1
    }
  }

  // MARK: Lines

  private func isEmpty(_ line: Line) -> Bool { line.start == line.end || bytes[line.start] == UInt8(ascii: "#") }

  mutating func skipEmptyLines() { while at < lines.count, isEmpty(lines[at]) { at += 1 } }

  private func byte(_ place: Int, _ line: Line) -> UInt8? { place < line.end ? bytes[place] : nil }

  private func isDash(_ line: Line) -> Bool {
    byte(line.start, line) == UInt8(ascii: "-") && (byte(line.start + 1, line) ?? 0x20) == 0x20
  }

  /// Behind the key of `key: value` and its colon, and the key; `nil` when the line has none.
  private func key(_ line: Line) throws(Failure) -> (text: String, end: Int)? {
    guard let first = byte(line.start, line) else { return nil }
    var end: Int
    var text: String
    if first == UInt8(ascii: "\"") || first == UInt8(ascii: "'") {
      var place = line.start
      text = try quoted(&place, line)
      end = place
      while byte(end, line) == 0x20 { end += 1 }
      guard byte(end, line) == UInt8(ascii: ":") else { return nil }
    } else {
      if "{[|>".utf8.contains(first) { return nil }
      guard let colon = (line.start..<line.end).first(where: { bytes[$0] == UInt8(ascii: ":") && (byte($0 + 1, line) ?? 0x20) == 0x20 })
      else { return nil }
      end = colon
      text = String(decoding: bytes[line.start..<colon], as: UTF8.self)
      while text.hasSuffix(" ") { text.removeLast() }
      if let wrong = refused(first) { throw Failure(line: line.number, message: wrong) }
    }
    guard (byte(end + 1, line) ?? 0x20) == 0x20 else { return nil }
    return (text, end + 1)
  }

  func refused(_ first: UInt8) -> String? {
    switch first {
    case UInt8(ascii: "&"), UInt8(ascii: "*"): "anchors and aliases are not read"
    case UInt8(ascii: "!"): "tags are not read"
    case UInt8(ascii: "%"), UInt8(ascii: "@"), UInt8(ascii: "`"): "a value cannot begin like this; put it into quotes"
    case 0x09: "a tab cannot indent"
    default: nil
    }
  }

  // MARK: Blocks

  private mutating func block(minimumIndent: Int, depth: Int) throws(Failure) -> JSONValue {
    skipEmptyLines()
    guard at < lines.count, lines[at].indent >= minimumIndent else { return .null }
    let line = lines[at]
    guard depth < Self.maximumDepth else { throw Failure(line: line.number, message: "nested more than \(Self.maximumDepth) levels deep") }
    if isDash(line) { return try sequence(indent: line.indent, depth: depth) }
    if try key(line) != nil { return try mapping(indent: line.indent, depth: depth) }
    return try inline(from: line.start, parentIndent: minimumIndent - 1, depth: depth)
  }

  private mutating func sequence(indent: Int, depth: Int) throws(Failure) -> JSONValue {
    var elements: [JSONValue] = []
    while true {
      skipEmptyLines()
      guard at < lines.count, lines[at].indent == indent, isDash(lines[at]) else { return .array(elements) }
      let line = lines[at]
      let content = (line.start + 1..<line.end).first { bytes[$0] != 0x20 } ?? line.end
      if content == line.end || bytes[content] == UInt8(ascii: "#") {
        at += 1
        elements.append(try block(minimumIndent: indent + 1, depth: depth + 1))
      } else {
        // What stands behind the dash begins a block of its own.
        lines[at].start = content
        lines[at].indent = indent + (content - line.start)
        elements.append(try block(minimumIndent: indent + 1, depth: depth + 1))
      }
    }
  }

  private mutating func mapping(indent: Int, depth: Int) throws(Failure) -> JSONValue {
    var members: [JSONValue.Member] = []
    var keys: Set<String> = []
    while true {
      skipEmptyLines()
      guard at < lines.count, lines[at].indent >= indent else { return .object(members) }
      let line = lines[at]
      guard line.indent == indent else { throw Failure(line: line.number, message: "indented more than what it stands with") }
      if isDash(line) { return .object(members) }
      guard let (name, end) = try key(line) else { throw Failure(line: line.number, message: "there is no `key:` here") }
      guard keys.insert(name).inserted else {
        throw Failure(line: line.number, message: "the key \(shown(name)) comes twice")
      }
      let content = (end..<max(end, line.end)).first { bytes[$0] != 0x20 } ?? line.end
      let value: JSONValue
      if content == line.end || bytes[content] == UInt8(ascii: "#") {
        at += 1
        skipEmptyLines()
        // A sequence may stand as far left as its key.
        let isSequence = at < lines.count && lines[at].indent == indent && isDash(lines[at])
        value = isSequence ? try sequence(indent: indent, depth: depth + 1) : try block(minimumIndent: indent + 1, depth: depth + 1)
      } else {
        value = try inline(from: content, parentIndent: indent, depth: depth + 1)
      }
      members.append(JSONValue.Member(key: name, value: value))
    }
  }

  /// A value that begins on the current line and is the last thing there.
  private mutating func inline(from start: Int, parentIndent: Int, depth: Int) throws(Failure) -> JSONValue {
    let line = lines[at]
    var place = start
    let value: JSONValue
    switch bytes[start] {
    case UInt8(ascii: "|"), UInt8(ascii: ">"): return try blockScalar(from: start, parentIndent: parentIndent)
    case UInt8(ascii: "\""), UInt8(ascii: "'"): value = .text(try quoted(&place, line))
    case UInt8(ascii: "{"), UInt8(ascii: "["): value = try flow(&place, depth: depth)
    default: value = try plain(&place, line, endings: [])
    }
    let last = lines[at]
    while byte(place, last) == 0x20 { place += 1 }
    guard place >= last.end || bytes[place] == UInt8(ascii: "#") else {
      throw Failure(line: last.number, message: "something stands behind the value")
    }
    at += 1
    return value
  }
}
