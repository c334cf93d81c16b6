extension RegexParser {
  /// `[…]`, beginning at the bracket.
  mutating func bracketClass() throws(RegexSyntaxError) -> ScalarClass {
    let start = position
    position += 1
    let isInverted = take("^")
    var ranges: [ScalarClass.Range] = []
    // A bracket that comes first stands for itself.
    var isFirst = true
    while next != "]" || isFirst {
      guard let scalar = next else { throw RegexSyntaxError(reason: "missing closing ]", part: part(from: start)) }
      isFirst = false
      if scalar == "[", let named = try posixClass() {
        ranges += named.ranges
        continue
      }
      if scalar == "\\", let known = try escapedClass() {
        ranges += known.ranges
        continue
      }
      let rangeStart = position
      let low = try classScalar(start)
      var high = low
      if next == "-", position + 1 < text.count, text[position + 1] != "]" {
        position += 1
        high = try classScalar(start)
        guard high >= low else {
          throw RegexSyntaxError(reason: "invalid character class range", part: part(from: rangeStart, to: position))
        }
      }
      ranges.append(low...high)
    }
    position += 1
    var result = ScalarClass(ranges)
    if flags.ignoresCase { result = result.caseFolded }
    return isInverted ? result.inverted : result
  }

  private mutating func classScalar(_ start: Int) throws(RegexSyntaxError) -> UInt32 {
    guard let scalar = next else { throw RegexSyntaxError(reason: "missing closing ]", part: part(from: start)) }
    if scalar == "\\" { return try escapedScalar().value }
    position += 1
    return scalar.value
  }

  /// `[:alpha:]`, `[:^alpha:]`; `nil` when this bracket stands for itself.
  private mutating func posixClass() throws(RegexSyntaxError) -> ScalarClass? {
    guard text[position...].starts(with: ["[", ":"]) else { return nil }
    var end = position + 2
    while end + 1 < text.count, !(text[end] == ":" && text[end + 1] == "]") { end += 1 }
    guard end + 1 < text.count else { return nil }
    let start = position
    position = end + 2
    var name = part(from: start + 2, to: end)
    let isInverted = name.hasPrefix("^")
    if isInverted { name.removeFirst() }
    guard let known = ScalarClass.posix[name] else {
      throw RegexSyntaxError(reason: "invalid character class range", part: part(from: start, to: position))
    }
    let folded = flags.ignoresCase ? known.caseFolded : known
    return isInverted ? folded.inverted : folded
  }

  /// `\d`, `\pL`, `\p{Lu}` and their inversions; `nil`, having read nothing, for any other escape.
  mutating func escapedClass() throws(RegexSyntaxError) -> ScalarClass? {
    guard position + 1 < text.count else { return nil }
    let start = position
    var isInverted = false
    var known: ScalarClass
    switch text[position + 1] {
    case "d": known = .digits
    case "D": (known, isInverted) = (.digits, true)
    case "s": known = .spaces
    case "S": (known, isInverted) = (.spaces, true)
    case "w": known = .wordCharacters
    case "W": (known, isInverted) = (.wordCharacters, true)
    case "p", "P":
      isInverted = text[position + 1] == "P"
      position += 2
      guard let scalar = next else {
        throw RegexSyntaxError(reason: "invalid character class range", part: part(from: start))
      }
      var name = String(Character(scalar))
      position += 1
      if scalar == "{" {
        guard let close = text[position...].firstIndex(of: "}") else {
          throw RegexSyntaxError(reason: "invalid character class range", part: part(from: start))
        }
        name = part(from: position, to: close)
        position = close + 1
      }
      if name.hasPrefix("^") {
        name.removeFirst()
        isInverted.toggle()
      }
      guard let category = UnicodeCategory.scalars(named: name) else {
        throw RegexSyntaxError(reason: "invalid character class range", part: part(from: start, to: position))
      }
      known = flags.ignoresCase ? category.caseFolded : category
      return isInverted ? known.inverted : known
    default: return nil
    }
    position += 2
    if flags.ignoresCase { known = known.caseFolded }
    return isInverted ? known.inverted : known
  }

  /// An escape that stands for one scalar.
  mutating func escapedScalar() throws(RegexSyntaxError) -> Unicode.Scalar {
    let start = position
    position += 1
    guard let scalar = next else { throw RegexSyntaxError(reason: "trailing backslash at end of expression", part: "") }
    position += 1
    switch scalar {
    case "1"..."7":
      // One digit would be a reference to a group, which has no linear time.
      guard let following = next, ("0"..."7").contains(following) else { break }
      return octal(scalar)
    case "0": return octal(scalar)
    case "x": if let value = hexadecimal() { return value }
    case "a": return "\u{07}"
    case "f": return "\u{0c}"
    case "n": return "\n"
    case "r": return "\r"
    case "t": return "\t"
    case "v": return "\u{0b}"
    default:
      if scalar.isASCII, scalar == "_" || !ScalarClass.wordCharacters.contains(scalar.value) { return scalar }
    }
    throw RegexSyntaxError(reason: "invalid escape sequence", part: part(from: start, to: position))
  }

  private mutating func octal(_ first: Unicode.Scalar) -> Unicode.Scalar {
    var value = first.value - 0x30
    for _ in 0..<2 {
      guard let digit = next, ("0"..."7").contains(digit) else { break }
      value = value * 8 + digit.value - 0x30
      position += 1
    }
    return Unicode.Scalar(value) ?? "\u{fffd}"
  }

  private mutating func hexadecimal() -> Unicode.Scalar? {
    func digit(_ at: Int) -> UInt32? {
      guard at < text.count, text[at].isASCII else { return nil }
      return Character(text[at]).hexDigitValue.map { UInt32($0) }
    }
    if next != "{" {
      guard let high = digit(position), let low = digit(position + 1) else {
        position = min(position + 2, text.count)
        return nil
      }
      position += 2
      return Unicode.Scalar(high * 16 + low)
    }
    position += 1
    var value: UInt32 = 0
    var count = 0
    while let more = digit(position) {
      value = value * 16 + more
      position += 1
      count += 1
      if value > ScalarClass.maximum { return nil }
    }
    guard count > 0, next == "}" else { return nil }
    position += 1
    return Unicode.Scalar(value)
  }
}
