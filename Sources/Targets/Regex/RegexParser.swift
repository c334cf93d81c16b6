/// Reads RE2's syntax as Go's `regexp` has it. No back references, no look-around: what remains runs in linear time.
struct RegexParser {
  /// Groups inside groups.
  static let maximumDepth = 200
  /// The largest number in `{n,m}`.
  static let maximumRepeat = 1000
  static let maximumLength = 16 * 1024

  struct Flags {
    var ignoresCase = false
    var multiline = false
    /// `.` matches a newline.
    var dotAll = true
    /// `*` takes as little as it can and `*?` as much.
    var ungreedy = false
  }

  /// A group that is open: what it has so far and what is to be restored when it ends.
  private struct Level {
    var alternatives: [RegexNode] = []
    var items: [RegexNode] = []
    var group: Int?
    var outerFlags: Flags
    var start: Int
  }

  let text: [Unicode.Scalar]
  var position = 0
  var flags = Flags()
  private var levels: [Level] = []
  private var level = Level(outerFlags: Flags(), start: 0)
  private(set) var groupNames: [String?] = [nil]
  /// Whether the item before was a repetition, which may not be repeated.
  private var repetitionStart: Int?

  /// - Returns: the expression and the names of its groups; number 0 is the whole match.
  static func parse(_ text: String) throws(RegexSyntaxError) -> (node: RegexNode, groupNames: [String?]) {
    var parser = RegexParser(text: Array(text.unicodeScalars))
    guard parser.text.count <= maximumLength else {
      throw RegexSyntaxError(reason: "expression too large", part: "")
    }
    return (try parser.parse(), parser.groupNames)
  }

  private init(text: [Unicode.Scalar]) { self.text = text }

  var next: Unicode.Scalar? { position < text.count ? text[position] : nil }

  func part(from start: Int, to end: Int? = nil) -> String {
    var part = String.UnicodeScalarView()
    part.append(contentsOf: text[start..<(end ?? text.count)])
    return String(part)
  }

  mutating func take(_ word: String) -> Bool {
    let scalars = Array(word.unicodeScalars)
    guard text[position...].starts(with: scalars) else { return false }
    position += scalars.count
    return true
  }

  private mutating func parse() throws(RegexSyntaxError) -> RegexNode {
    while let scalar = next {
      let start = position
      switch scalar {
      case "(": try open()
      case ")":
        guard let outer = levels.popLast() else { throw RegexSyntaxError(reason: "unexpected )", part: part(from: 0)) }
        position += 1
        let node = finished(level)
        let closed = level
        flags = closed.outerFlags
        level = outer
        push(closed.group.map { .capture($0, node) } ?? node)
      case "|":
        position += 1
        level.alternatives.append(concatenation(level.items))
        level.items = []
        repetitionStart = nil
      case "*", "+", "?", "{":
        guard let bounds = try repetition() else {
          position = start + 1
          push(literal("{"))
          continue
        }
        try apply(bounds, from: start)
      case "[": push(.scalar(try bracketClass()))
      case ".":
        position += 1
        push(.scalar(flags.dotAll ? .any : .anyButNewline))
      case "^":
        position += 1
        push(.assertion(flags.multiline ? .beginLine : .beginText))
      case "$":
        position += 1
        push(.assertion(flags.multiline ? .endLine : .endText))
      case "\\": try escape()
      default:
        position += 1
        push(literal(scalar))
      }
    }
    guard levels.isEmpty else { throw RegexSyntaxError(reason: "missing closing )", part: part(from: 0)) }
    return finished(level)
  }

  private mutating func push(_ node: RegexNode) {
    level.items.append(node)
    repetitionStart = nil
  }

  private func literal(_ scalar: Unicode.Scalar) -> RegexNode {
    let one = ScalarClass(scalar.value)
    return .scalar(flags.ignoresCase ? one.caseFolded : one)
  }

  private func concatenation(_ items: [RegexNode]) -> RegexNode {
    switch items.count {
    case 0: .empty
    case 1: items[0]
    default: .concatenation(items)
    }
  }

  private func finished(_ level: Level) -> RegexNode {
    let last = concatenation(level.items)
    return level.alternatives.isEmpty ? last : .alternation(level.alternatives + [last])
  }

  // MARK: Groups

  private mutating func open() throws(RegexSyntaxError) {
    let start = position
    position += 1
    guard take("?") else {
      groupNames.append(nil)
      return try descend(group: groupNames.count - 1, flags: flags, start: start)
    }
    if take("P<") || take("<") { return try openNamed(start: start) }
    var changed = flags
    var value = true
    var hasFlag = false
    while let scalar = next {
      position += 1
      switch scalar {
      case "i": changed.ignoresCase = value
      case "m": changed.multiline = value
      case "s": changed.dotAll = value
      case "U": changed.ungreedy = value
      case "-" where value:
        value = false
        hasFlag = false
        continue
      case ":" where value || hasFlag, ")" where value || hasFlag:
        if scalar == ")" {
          flags = changed
          repetitionStart = nil
          return
        }
        return try descend(group: nil, flags: changed, start: start)
      default: throw RegexSyntaxError(reason: "invalid or unsupported Perl syntax", part: part(from: start, to: position))
      }
      hasFlag = true
    }
    throw RegexSyntaxError(reason: "missing argument to repetition operator", part: "?")
  }

  private mutating func openNamed(start: Int) throws(RegexSyntaxError) {
    let nameStart = position
    while let scalar = next, scalar != ">" { position += 1 }
    guard next == ">" else { throw RegexSyntaxError(reason: "invalid named capture", part: part(from: start)) }
    let name = part(from: nameStart, to: position)
    position += 1
    guard !name.isEmpty, name.unicodeScalars.allSatisfy({ ScalarClass.wordCharacters.contains($0.value) }) else {
      throw RegexSyntaxError(reason: "invalid named capture", part: part(from: start, to: position))
    }
    guard !groupNames.contains(name) else { throw RegexSyntaxError(reason: "duplicate capture group name", part: name) }
    groupNames.append(name)
    try descend(group: groupNames.count - 1, flags: flags, start: start)
  }

  private mutating func descend(group: Int?, flags inner: Flags, start: Int) throws(RegexSyntaxError) {
    guard levels.count < Self.maximumDepth else {
      throw RegexSyntaxError(reason: "expression nests too deeply", part: part(from: start, to: min(start + 20, text.count)))
    }
    levels.append(level)
    level = Level(group: group, outerFlags: flags, start: start)
    flags = inner
    repetitionStart = nil
  }

  // MARK: Repetition

  private struct Bounds {
    var minimum: Int
    var maximum: Int?
  }

  /// - Returns: `nil` for a brace that begins no repetition and so stands for itself.
  private mutating func repetition() throws(RegexSyntaxError) -> Bounds? {
    if take("*") { return Bounds(minimum: 0, maximum: nil) }
    if take("+") { return Bounds(minimum: 1, maximum: nil) }
    if take("?") { return Bounds(minimum: 0, maximum: 1) }
    let start = position
    position += 1
    guard let minimum = number() else { return nil }
    var bounds = Bounds(minimum: minimum, maximum: minimum)
    if take(",") {
      if next == "}" { bounds.maximum = nil } else if let maximum = number() { bounds.maximum = maximum } else { return nil }
    }
    guard take("}") else { return nil }
    guard minimum <= Self.maximumRepeat, (bounds.maximum ?? 0) <= Self.maximumRepeat, minimum <= bounds.maximum ?? minimum else {
      throw RegexSyntaxError(reason: "invalid repeat count", part: part(from: start, to: position))
    }
    return bounds
  }

  /// Without leading zeros; what is too large for any use comes back larger than every limit.
  private mutating func number() -> Int? {
    let start = position
    var value = 0
    while let scalar = next, ScalarClass.digits.contains(scalar.value) {
      value = min(value * 10 + Int(scalar.value - 0x30), Self.maximumRepeat + 1)
      position += 1
    }
    guard position > start, position == start + 1 || text[start] != "0" else { return nil }
    return value
  }

  private mutating func apply(_ bounds: Bounds, from start: Int) throws(RegexSyntaxError) {
    let isReluctant = take("?")
    let operation = part(from: start, to: position)
    if let repetitionStart {
      throw RegexSyntaxError(reason: "invalid nested repetition operator", part: part(from: repetitionStart, to: position))
    }
    guard let node = level.items.popLast() else {
      throw RegexSyntaxError(reason: "missing argument to repetition operator", part: operation)
    }
    level.items.append(
      .repetition(node, minimum: bounds.minimum, maximum: bounds.maximum, greedy: isReluctant == flags.ungreedy))
    repetitionStart = start
  }

  // MARK: Escapes outside classes

  private mutating func escape() throws(RegexSyntaxError) {
    let start = position
    position += 1
    switch next {
    case "A": position += 1; push(.assertion(.beginText))
    case "z": position += 1; push(.assertion(.endText))
    case "b": position += 1; push(.assertion(.wordBoundary))
    case "B": position += 1; push(.assertion(.noWordBoundary))
    case "Q":
      position += 1
      while let scalar = next, !take("\\E") {
        position += 1
        push(literal(scalar))
      }
    default:
      position = start
      if let known = try escapedClass() { return push(.scalar(known)) }
      push(literal(try escapedScalar()))
    }
  }
}
