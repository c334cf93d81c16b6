/// A text with references to groups: `$1`, `${1}`, `$name`, `${name}`, and `$$` for a dollar, as Go's `Regexp.Expand` has it.
///
/// A name is as long as it can be, so `$1x` is the group called `1x`. A group that is not there is empty text, and a dollar
/// that begins no reference stands for itself.
struct ReplacementTemplate: Hashable, Sendable {
  enum Part: Hashable, Sendable {
    case literal([UInt8])
    case group(Int)
  }
  let parts: [Part]

  init(_ text: String, groupNames: [String?]) {
    var parts: [Part] = []
    var literal: [UInt8] = []
    let scalars = Array(text.unicodeScalars)
    var position = 0
    while position < scalars.count {
      let scalar = scalars[position]
      position += 1
      guard scalar == "$" else {
        literal.append(contentsOf: String(Character(scalar)).utf8)
        continue
      }
      if position < scalars.count, scalars[position] == "$" {
        literal.append(UInt8(ascii: "$"))
        position += 1
      } else if let reference = Self.reference(in: scalars, at: position) {
        position = reference.end
        guard let group = Self.group(called: reference.name, groupNames) else { continue }
        if !literal.isEmpty { parts.append(.literal(literal)) }
        literal = []
        parts.append(.group(group))
      } else {
        literal.append(UInt8(ascii: "$"))
      }
    }
    if !literal.isEmpty { parts.append(.literal(literal)) }
    self.parts = parts
  }

  private static func reference(in text: [Unicode.Scalar], at start: Int) -> (name: String, end: Int)? {
    let isBraced = start < text.count && text[start] == "{"
    var end = isBraced ? start + 1 : start
    var name = String.UnicodeScalarView()
    while end < text.count, text[end] == "_" || text[end].properties.isAlphabetic || text[end].properties.numericType == .decimal {
      name.append(text[end])
      end += 1
    }
    guard !name.isEmpty else { return nil }
    guard isBraced else { return (String(name), end) }
    guard end < text.count, text[end] == "}" else { return nil }
    return (String(name), end + 1)
  }

  private static func group(called name: String, _ groupNames: [String?]) -> Int? {
    // A number has no leading zero; with one it is a name, which no group can have.
    if name.utf8.allSatisfy({ (0x30...0x39).contains($0) }), name.utf8.count <= 8, name == "0" || name.utf8.first != 0x30 {
      return Int(name).flatMap { $0 < groupNames.count ? $0 : nil }
    }
    return groupNames.firstIndex { $0 == name }
  }

  /// The text when it refers to no group.
  var constant: String? {
    switch parts.count {
    case 0: return ""
    case 1:
      if case .literal(let bytes) = parts[0] { return String(decoding: bytes, as: UTF8.self) }
      return nil
    default: return nil
    }
  }

  /// - Parameter slots: two byte offsets a group, -1 for one that took no part.
  func expand(_ text: Span<UInt8>, _ slots: [Int32]) -> String {
    var bytes: [UInt8] = []
    for part in parts {
      switch part {
      case .literal(let more): bytes.append(contentsOf: more)
      case .group(let group):
        let start = Int(slots[group * 2])
        let end = Int(slots[group * 2 + 1])
        if start >= 0 { for index in start..<max(start, end) { bytes.append(text[index]) } }
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
