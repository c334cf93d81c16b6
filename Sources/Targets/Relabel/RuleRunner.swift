/// One rule at work: what it did with a text it does again without looking at the text.
struct RuleRunner {
  private let rule: RelabelRule
  private var matcher: RegexMatcher
  private let sources: [Int32]
  /// `-1` when the name depends on the text.
  private let target: Int32
  /// The result is the source itself: the rule most configurations have most of.
  private let copies: Bool
  /// What every text begins with that matches; empty also for actions that do not ask the expression.
  private let prefix: [UInt8]
  private let separator: [UInt8]
  private var memory = RuleMemory()
  /// By name: the name it is mapped to, 1 for a match without one, -1 for none, 0 for not yet known.
  private var nameAnswers: [Int32] = []

  init(_ rule: RelabelRule, _ names: inout TextTable) {
    self.rule = rule
    matcher = RegexMatcher(rule.regex)
    sources = rule.sourceLabels.map { names.number(of: $0) }
    // Only `replace` reads references in it.
    let name = rule.action == .replace ? rule.targetTemplate.constant : rule.targetLabel
    target = name.map { names.number(of: $0) } ?? -1
    separator = Array(rule.separator.utf8)
    prefix = [.replace, .keep, .drop].contains(rule.action) ? matcher.prefix : []
    copies =
      rule.action == .replace && rule.regex.source == RelabelRule.defaultRegex
      && rule.replacement == RelabelRule.defaultReplacement && sources.count == 1 && target > 0
  }

  /// Runs on every row that is not dropped; `number` is the rule's, for those that it drops.
  mutating func run(
    on rows: inout [TargetRow], _ dropped: inout [Int?], _ number: Int, _ names: inout TextTable, _ values: inout TextTable
  ) {
    for row in dropped.indices where dropped[row] == nil {
      if !run(on: &rows[row], &names, &values) { dropped[row] = number }
    }
  }

  /// - Returns: whether the target is kept.
  @inline(__always)
  private mutating func run(on row: inout TargetRow, _ names: inout TextTable, _ values: inout TextTable) -> Bool {
    switch rule.action {
    case .labelmap: mapNames(of: &row, &names)
    case .labeldrop: for name in row.names where row[name] != 0 && matches(name, names) { row[name] = 0 }
    case .labelkeep: for name in row.names where row[name] != 0 && !matches(name, names) { row[name] = 0 }
    case .keepequal, .dropequal:
      let isEqual =
        sources.count == 1
        ? row[sources[0]] == row[target] : join(row, values) == Array(values[row[target]].utf8)
      return isEqual == (rule.action == .keepequal)
    default:
      if copies {
        row[target] = row[sources[0]]
        return true
      }
      let answer = answer(for: &row, &names, &values)
      switch rule.action {
      case .keep: return answer.name >= 0
      case .drop: return answer.name < 0
      default: if answer.name >= 0 { row[answer.name] = answer.value }
      }
    }
    return true
  }

  // MARK: Rules on values

  /// - Parameter row: only read; by reference, as a copy would count references for each of two million questions.
  private mutating func answer(
    for row: inout TargetRow, _ names: inout TextTable, _ values: inout TextTable
  ) -> RuleMemory.Answer {
    // Most rules are about few texts, and most others differ from those in their first bytes.
    if !prefix.isEmpty, !mayMatch(&row, &values) { return .none }
    guard sources.count <= 2 else {
      let joined = join(row, values)
      return work(out: joined.span, &names, &values)
    }
    let first = sources.isEmpty ? 0 : row[sources[0]]
    let second = sources.count < 2 ? 0 : row[sources[1]]
    let key = UInt64(UInt32(bitPattern: first)) << 32 | UInt64(UInt32(bitPattern: second))
    if let known = memory[key] { return known }
    let answer: RuleMemory.Answer
    if sources.count == 2 {
      let joined = join(row, values)
      answer = work(out: joined.span, &names, &values)
    } else {
      let text = values[first].utf8
      answer = work(out: text.span, &names, &values)
    }
    memory[key] = answer
    return answer
  }

  /// Whether the joined text begins as every match does. Both are only read.
  @inline(__always)
  private func mayMatch(_ row: inout TargetRow, _ values: inout TextTable) -> Bool {
    var place = 0
    for index in sources.indices {
      if index > 0 {
        for byte in separator {
          if place == prefix.count { return true }
          if byte != prefix[place] { return false }
          place &+= 1
        }
      }
      if !values.agrees(row[sources[index]], with: prefix, from: &place) { return false }
      if place == prefix.count { return true }
    }
    return false
  }

  private func join(_ row: TargetRow, _ values: TextTable) -> [UInt8] {
    var bytes: [UInt8] = []
    for (index, source) in sources.enumerated() {
      if index > 0 { bytes.append(contentsOf: rule.separator.utf8) }
      bytes.append(contentsOf: values[row[source]].utf8)
    }
    return bytes
  }

  private mutating func work(
    out text: Span<UInt8>, _ names: inout TextTable, _ values: inout TextTable
  ) -> RuleMemory.Answer {
    switch rule.action {
    case .keep, .drop: return matcher.matches(text) ? RuleMemory.Answer(name: 0, value: 0) : .none
    case .hashmod:
      let hash = MD5.lowHalf(of: bytes(of: text)) % rule.modulus
      return RuleMemory.Answer(name: target, value: values.number(of: String(hash)))
    case .lowercase, .uppercase:
      let text = String(decoding: bytes(of: text), as: UTF8.self)
      let changed = rule.action == .lowercase ? SimpleCase.lower(text) : SimpleCase.upper(text)
      return RuleMemory.Answer(name: target, value: values.number(of: changed))
    default:
      guard let groups = matcher.groups(text) else { return .none }
      let name = target >= 0 ? target : names.number(of: rule.targetTemplate.expand(text, groups))
      guard name != 0 else { return .none }
      return RuleMemory.Answer(name: name, value: values.number(of: rule.replacementTemplate.expand(text, groups)))
    }
  }

  private func bytes(of text: Span<UInt8>) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.count)
    for index in text.indices { bytes.append(text[index]) }
    return bytes
  }

  // MARK: Rules on names

  private mutating func matches(_ name: Int32, _ names: TextTable) -> Bool {
    let index = Int(name)
    if index < nameAnswers.count, nameAnswers[index] != 0 { return nameAnswers[index] > 0 }
    let isMatch = matcher.matches(names[name])
    remember(isMatch ? 1 : -1, for: name)
    return isMatch
  }

  private mutating func remember(_ answer: Int32, for name: Int32) {
    let index = Int(name)
    if index >= nameAnswers.count {
      nameAnswers.append(contentsOf: repeatElement(0, count: index + 1 - nameAnswers.count + nameAnswers.count / 2))
    }
    nameAnswers[index] = answer
  }

  private mutating func mapNames(of row: inout TargetRow, _ names: inout TextTable) {
    var moves: [(from: Int32, to: Int32, value: Int32)] = []
    // Names and values as they are before the rule: what it writes is not mapped again.
    for name in row.names where row[name] != 0 {
      let to = mapped(name, &names)
      if to > 0 { moves.append((name, to, row[name])) }
    }
    // Two names mapped to one: the last in the order of names wins, whatever the order they came in.
    if Set(moves.map(\.to)).count < moves.count { moves.sort { names[$0.from] < names[$1.from] } }
    for move in moves { row[move.to] = move.value }
  }

  private mutating func mapped(_ name: Int32, _ names: inout TextTable) -> Int32 {
    let index = Int(name)
    if index < nameAnswers.count, nameAnswers[index] != 0 { return nameAnswers[index] }
    let text = Array(names[name].utf8)
    var answer: Int32 = -1
    if let groups = matcher.groups(text.span) {
      let to = names.number(of: rule.replacementTemplate.expand(text.span, groups))
      answer = to == 0 ? -1 : to
    }
    remember(answer, for: name)
    return answer
  }
}

/// Answers by source values: a fixed number of places, the newer answer taking that of an older one.
struct RuleMemory {
  struct Answer {
    /// The label that is set; -1 when the text does not match.
    var name: Int32
    var value: Int32
    static let none = Answer(name: -1, value: 0)
  }
  private static let places = 512
  private var keys: [UInt64] = []
  private var answers: [Answer] = []

  private func place(of key: UInt64) -> Int {
    Int(truncatingIfNeeded: (key &* 0x9e37_79b9_7f4a_7c15) >> 55)
  }

  subscript(key: UInt64) -> Answer? {
    get {
      guard !keys.isEmpty else { return nil }
      let place = place(of: key)
      return keys[place] == key ? answers[place] : nil
    }
    set {
      guard let newValue else { return }
      if keys.isEmpty {
        // No key has all bits set: that would be four thousand million texts.
        keys = [UInt64](repeating: .max, count: Self.places)
        answers = [Answer](repeating: .none, count: Self.places)
      }
      let place = place(of: key)
      keys[place] = key
      answers[place] = newValue
    }
  }
}
