/// A set of Unicode scalars: sorted ranges that neither overlap nor touch.
struct ScalarClass: Hashable, Sendable {
  typealias Range = ClosedRange<UInt32>
  static let maximum: UInt32 = 0x10_ffff

  private(set) var ranges: [Range]

  init(_ ranges: [Range]) { self.ranges = Self.normalized(ranges) }
  init(_ scalar: UInt32) { ranges = [scalar...scalar] }

  static let any = ScalarClass([0...maximum])
  static let anyButNewline = ScalarClass([0...0x09, 0x0b...maximum])

  var inverted: ScalarClass {
    var result: [Range] = []
    var next: UInt32 = 0
    for range in ranges {
      if range.lowerBound > next { result.append(next...(range.lowerBound - 1)) }
      next = range.upperBound + 1
    }
    if next <= Self.maximum { result.append(next...Self.maximum) }
    return ScalarClass(result)
  }

  /// With every scalar that differs from one in the set by case alone.
  var caseFolded: ScalarClass { ScalarClass(ranges + ranges.flatMap { CaseFolding.variants(of: $0) }) }

  func contains(_ scalar: UInt32) -> Bool {
    var low = 0
    var high = ranges.count
    while low < high {
      let middle = (low + high) / 2
      if ranges[middle].upperBound < scalar { low = middle + 1 } else { high = middle }
    }
    return low < ranges.count && ranges[low].lowerBound <= scalar
  }

  /// The only member, when there is one only.
  var single: UInt32? {
    guard ranges.count == 1, ranges[0].lowerBound == ranges[0].upperBound else { return nil }
    return ranges[0].lowerBound
  }

  private static func normalized(_ ranges: [Range]) -> [Range] {
    var result: [Range] = []
    for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
      if let last = result.last, range.lowerBound <= last.upperBound || range.lowerBound == last.upperBound + 1 {
        result[result.count - 1] = last.lowerBound...max(last.upperBound, range.upperBound)
      } else {
        result.append(range)
      }
    }
    return result
  }
}

extension ScalarClass {
  private static func ascii(_ pairs: (Unicode.Scalar, Unicode.Scalar)...) -> ScalarClass {
    ScalarClass(pairs.map { $0.0.value...$0.1.value })
  }

  static let digits = ascii(("0", "9"))
  static let wordCharacters = ascii(("0", "9"), ("A", "Z"), ("_", "_"), ("a", "z"))
  /// Perl's `\s`, which has no vertical tab.
  static let spaces = ascii(("\t", "\n"), ("\u{0c}", "\r"), (" ", " "))

  /// What stands between `[:` and `:]`.
  static let posix: [String: ScalarClass] = [
    "alnum": ascii(("0", "9"), ("A", "Z"), ("a", "z")), "alpha": ascii(("A", "Z"), ("a", "z")),
    "ascii": ascii(("\0", "\u{7f}")), "blank": ascii(("\t", "\t"), (" ", " ")),
    "cntrl": ascii(("\0", "\u{1f}"), ("\u{7f}", "\u{7f}")), "digit": digits, "graph": ascii(("!", "~")),
    "lower": ascii(("a", "z")), "print": ascii((" ", "~")),
    "punct": ascii(("!", "/"), (":", "@"), ("[", "`"), ("{", "~")), "space": ascii(("\t", "\r"), (" ", " ")),
    "upper": ascii(("A", "Z")), "word": wordCharacters, "xdigit": ascii(("0", "9"), ("A", "F"), ("a", "f")),
  ]
}
