import Base

extension YAMLReader {
  /// A scalar without quotes, up to a comment, the line's end or one of `endings`.
  mutating func plain(_ place: inout Int, _ line: Line, endings: [UInt8]) throws(Failure) -> JSONValue {
    let start = place
    if start < line.end, let wrong = refused(bytes[start]) { throw Failure(line: line.number, message: wrong) }
    while place < line.end, !endings.contains(bytes[place]) {
      if bytes[place] == UInt8(ascii: "#"), place == start || bytes[place - 1] == 0x20 { break }
      if bytes[place] == UInt8(ascii: ":"), place + 1 == line.end || bytes[place + 1] == 0x20 {
        if endings.isEmpty { throw Failure(line: line.number, message: "a second `key:` on one line; put the value into quotes") }
        break
      }
      place += 1
    }
    var end = place
    while end > start, bytes[end - 1] == 0x20 || bytes[end - 1] == 0x09 { end -= 1 }
    let text = String(decoding: bytes[start..<end], as: UTF8.self)
    switch text {
    case "", "~", "null", "Null", "NULL": return .null
    case "true", "True", "TRUE": return .boolean(true)
    case "false", "False", "FALSE": return .boolean(false)
    default: return readsNumbers ? number(text) ?? .text(text) : .text(text)
    }
  }

  /// YAML 1.2, section 10.3.2: decimal, `0o` and `0x` integers, and floating-point numbers.
  private func number(_ text: String) -> JSONValue? {
    let digits = text.utf8.drop { $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "+") }
    guard let first = digits.first, text.utf8.count - digits.count <= 1, first == UInt8(ascii: ".") || (0x30...0x39).contains(first)
    else { return nil }
    if let integer = Int64(text) { return .integer(integer) }
    if text.hasPrefix("0x") { return Int64(text.dropFirst(2), radix: 16).map { .integer($0) } }
    if text.hasPrefix("0o") { return Int64(text.dropFirst(2), radix: 8).map { .integer($0) } }
    guard text.utf8.allSatisfy({ "0123456789.eE+-".utf8.contains($0) }) else { return nil }
    return Double(text).flatMap { $0.isFinite ? .number($0) : nil }
  }

  /// A scalar in either kind of quotes, on one line.
  func quoted(_ place: inout Int, _ line: Line) throws(Failure) -> String {
    let quote = bytes[place]
    place += 1
    var text: [UInt8] = []
    while place < line.end {
      let byte = bytes[place]
      place += 1
      if byte == quote {
        guard quote == UInt8(ascii: "'"), place < line.end, bytes[place] == quote else { return String(decoding: text, as: UTF8.self) }
        text.append(quote)
        place += 1
      } else if byte == UInt8(ascii: "\\"), quote == UInt8(ascii: "\"") {
        try escape(&place, line, into: &text)
      } else {
        text.append(byte)
      }
    }
    throw Failure(line: line.number, message: "the quotes are not closed on their line")
  }

  /// YAML 1.2, section 5.7.
  private func escape(_ place: inout Int, _ line: Line, into text: inout [UInt8]) throws(Failure) {
    guard place < line.end else { throw Failure(line: line.number, message: "the quotes are not closed on their line") }
    let byte = bytes[place]
    place += 1
    let simple: [UInt8: UInt8] = [
      0x30: 0, 0x61: 7, 0x62: 8, 0x74: 9, 0x6e: 10, 0x76: 11, 0x66: 12, 0x72: 13, 0x65: 27, 0x20: 0x20, 0x22: 0x22, 0x2f: 0x2f, 0x5c: 0x5c,
    ]
    if let plain = simple[byte] { return text.append(plain) }
    let digits = [UInt8(ascii: "x"): 2, UInt8(ascii: "u"): 4, UInt8(ascii: "U"): 8][byte]
    guard let digits, line.end - place >= digits else { throw Failure(line: line.number, message: "an escape that YAML does not have") }
    var code = try hexadecimal(place..<place + digits, line)
    place += digits
    // JSON's pairs: what is above U+FFFF in two halves.
    if (0xd800..<0xdc00).contains(code), line.end - place >= 6, bytes[place] == UInt8(ascii: "\\"), bytes[place + 1] == UInt8(ascii: "u") {
      let low = try hexadecimal(place + 2..<place + 6, line)
      if (0xdc00..<0xe000).contains(low) {
        code = 0x10000 + (code - 0xd800) << 10 + (low - 0xdc00)
        place += 6
      }
    }
    text.append(contentsOf: String(Character(Unicode.Scalar(code) ?? "\u{fffd}")).utf8)
  }

  private func hexadecimal(_ range: Range<Int>, _ line: Line) throws(Failure) -> UInt32 {
    guard let code = UInt32(String(decoding: bytes[range], as: UTF8.self), radix: 16) else {
      throw Failure(line: line.number, message: "an escape that YAML does not have")
    }
    return code
  }

  /// `|` keeps its lines, `>` joins them.
  mutating func blockScalar(from start: Int, parentIndent: Int) throws(Failure) -> JSONValue {
    let head = lines[at]
    let folds = bytes[start] == UInt8(ascii: ">")
    var keep: UInt8?
    var indent: Int?
    for place in start + 1..<head.end {
      let byte = bytes[place]
      if byte == UInt8(ascii: "-") || byte == UInt8(ascii: "+"), keep == nil {
        keep = byte
      } else if (0x31...0x39).contains(byte), indent == nil {
        indent = max(parentIndent, 0) + Int(byte - 0x30)
      } else if byte == 0x20 {
        guard bytes[place..<head.end].first(where: { $0 != 0x20 }) ?? UInt8(ascii: "#") == UInt8(ascii: "#") else {
          throw Failure(line: head.number, message: "something stands behind the beginning of a block of text")
        }
        break
      } else {
        throw Failure(line: head.number, message: "a block of text that begins in a way that is not read")
      }
    }
    at += 1
    var rows: [ArraySlice<UInt8>] = []
    while at < lines.count {
      let line = lines[at]
      if line.start < line.end {
        let first = indent ?? line.indent
        guard line.indent >= first, first > parentIndent else { break }
        indent = first
        rows.append(bytes[line.start - (line.indent - first)..<line.end])
      } else {
        rows.append([])
      }
      at += 1
    }
    var trailing = 0
    while rows.last?.isEmpty == true {
      rows.removeLast()
      trailing += 1
    }
    var text: [UInt8] = []
    for (index, row) in rows.enumerated() {
      // Of folded lines an empty one is the end of the line before.
      if index > 0, !folds || row.isEmpty { text.append(0x0a) }
      if folds, index > 0, !row.isEmpty, !rows[index - 1].isEmpty { text.append(0x20) }
      text += row
    }
    if keep != UInt8(ascii: "-"), !rows.isEmpty { text.append(0x0a) }
    if keep == UInt8(ascii: "+") { text += [UInt8](repeating: 0x0a, count: trailing) }
    return .text(String(decoding: text, as: UTF8.self))
  }

  // MARK: Flow: `{a: b, "c": [d]}`, over any number of lines

  /// To the next byte that says something, over line ends and comments.
  private mutating func skipFlowSpace(_ place: inout Int) throws(Failure) -> UInt8 {
    while true {
      let line = lines[at]
      while place < line.end, bytes[place] == 0x20 || bytes[place] == 0x09 { place += 1 }
      if place < line.end, bytes[place] != UInt8(ascii: "#") { return bytes[place] }
      guard at + 1 < lines.count else { throw Failure(line: line.number, message: "a { or [ that is not closed") }
      at += 1
      place = lines[at].start
    }
  }

  mutating func flow(_ place: inout Int, depth: Int) throws(Failure) -> JSONValue {
    guard depth < Self.maximumDepth else {
      throw Failure(line: lines[at].number, message: "nested more than \(Self.maximumDepth) levels deep")
    }
    switch try skipFlowSpace(&place) {
    case UInt8(ascii: "{"):
      place += 1
      return try flowMapping(&place, depth: depth)
    case UInt8(ascii: "["):
      place += 1
      var elements: [JSONValue] = []
      while true {
        if try skipFlowSpace(&place) == UInt8(ascii: "]") { break }
        elements.append(try flow(&place, depth: depth + 1))
        if try !flowGoesOn(&place, until: UInt8(ascii: "]")) { break }
      }
      place += 1
      return .array(elements)
    case UInt8(ascii: "\""), UInt8(ascii: "'"): return .text(try quoted(&place, lines[at]))
    default: return try plain(&place, lines[at], endings: Array(",]}".utf8))
    }
  }

  private mutating func flowMapping(_ place: inout Int, depth: Int) throws(Failure) -> JSONValue {
    var members: [JSONValue.Member] = []
    var keys: Set<String> = []
    while true {
      let first = try skipFlowSpace(&place)
      if first == UInt8(ascii: "}") { break }
      let number = lines[at].number
      let name: String
      if first == UInt8(ascii: "\"") || first == UInt8(ascii: "'") {
        name = try quoted(&place, lines[at])
      } else {
        let start = place
        _ = try plain(&place, lines[at], endings: Array(",]}".utf8))
        name = String(decoding: bytes[start..<place], as: UTF8.self)
      }
      guard try skipFlowSpace(&place) == UInt8(ascii: ":") else { throw Failure(line: number, message: "a key without a colon") }
      place += 1
      guard keys.insert(name).inserted else { throw Failure(line: number, message: "the key \(shown(name)) comes twice") }
      members.append(JSONValue.Member(key: name, value: try flow(&place, depth: depth + 1)))
      if try !flowGoesOn(&place, until: UInt8(ascii: "}")) { break }
    }
    place += 1
    return .object(members)
  }

  /// Passes a comma; `false` at `end`.
  private mutating func flowGoesOn(_ place: inout Int, until end: UInt8) throws(Failure) -> Bool {
    switch try skipFlowSpace(&place) {
    case UInt8(ascii: ","):
      place += 1
      return true
    case end: return false
    default: throw Failure(line: lines[at].number, message: "no comma between two values")
    }
  }
}
