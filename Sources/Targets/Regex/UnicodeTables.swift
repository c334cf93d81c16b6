import Synchronization

/// Scalars that differ by case alone, by Unicode's simple folding.
enum CaseFolding {
  /// The other scalars of the case orbits that `range` touches.
  static func variants(of range: ScalarClass.Range) -> [ScalarClass.Range] {
    if range.upperBound < 0x80 { return asciiVariants(of: range) }
    return orbits.lazy.filter { range.contains($0.scalar) }.flatMap { $0.others.map { $0...$0 } }
  }

  /// Without the table: nearly every expression has only these.
  private static func asciiVariants(of range: ScalarClass.Range) -> [ScalarClass.Range] {
    var result: [ScalarClass.Range] = []
    let upper = range.clamped(to: 0x41...0x5a)
    if range.overlaps(0x41...0x5a) { result.append((upper.lowerBound + 0x20)...(upper.upperBound + 0x20)) }
    let lower = range.clamped(to: 0x61...0x7a)
    if range.overlaps(0x61...0x7a) { result.append((lower.lowerBound - 0x20)...(lower.upperBound - 0x20)) }
    if range.contains(0x4b) || range.contains(0x6b) { result.append(0x212a...0x212a) }  // the Kelvin sign
    if range.contains(0x53) || range.contains(0x73) { result.append(0x17f...0x17f) }  // the long s
    return result
  }

  private static let orbits: [(scalar: UInt32, others: [UInt32])] = {
    var byKey: [UInt32: [UInt32]] = [:]
    // The scripts with case end below this.
    for value in UInt32(0)..<0x1_e960 {
      guard let scalar = Unicode.Scalar(value) else { continue }
      let properties = scalar.properties
      // Dotless i and I with a dot fold in Turkish only.
      guard properties.changesWhenCaseMapped || properties.changesWhenCaseFolded, value != 0x130, value != 0x131 else { continue }
      byKey[lower(upper(scalar)).value, default: []].append(value)
    }
    return byKey.values.flatMap { orbit in orbit.map { one in (one, orbit.filter { $0 != one }) } }
      .filter { !$0.others.isEmpty }.sorted { $0.scalar < $1.scalar }
  }()

  /// The simple mappings: one scalar for one, as Go's `strings.ToLower` and `ToUpper` have them.
  static func lower(_ scalar: Unicode.Scalar) -> Unicode.Scalar {
    if scalar.isASCII { return (0x41...0x5a).contains(scalar.value) ? Unicode.Scalar(UInt8(scalar.value + 0x20)) : scalar }
    if scalar.value == 0x130 { return "i" }
    return single(scalar.properties.lowercaseMapping) ?? scalar
  }

  static func upper(_ scalar: Unicode.Scalar) -> Unicode.Scalar {
    if scalar.isASCII { return (0x61...0x7a).contains(scalar.value) ? Unicode.Scalar(UInt8(scalar.value - 0x20)) : scalar }
    let properties = scalar.properties
    return single(properties.uppercaseMapping) ?? single(properties.titlecaseMapping) ?? scalar
  }

  private static func single(_ text: String) -> Unicode.Scalar? {
    text.unicodeScalars.count == 1 ? text.unicodeScalars.first : nil
  }
}

/// The classes of `\p{…}`: general categories. Scripts are not among them; Swift's standard library does not know them.
enum UnicodeCategory {
  /// `nil` when there is no category of that name.
  static func scalars(named name: String) -> ScalarClass? {
    if name == "Any" { return .any }
    guard let wanted = categories[name] else { return nil }
    return found.withLock { found in
      if let known = found[name] { return known }
      let scalars = collect(wanted)
      found[name] = scalars
      return scalars
    }
  }

  /// Going through all of Unicode takes milliseconds, so each name does it once.
  private static let found = Mutex<[String: ScalarClass]>([:])

  private static func collect(_ wanted: Set<Unicode.GeneralCategory>) -> ScalarClass {
    var ranges: [ScalarClass.Range] = []
    var start: UInt32?
    for value in 0...ScalarClass.maximum {
      let isIn: Bool
      if let scalar = Unicode.Scalar(value) {
        isIn = wanted.contains(scalar.properties.generalCategory)
      } else {
        isIn = false  // surrogates are never in a Swift string
      }
      if isIn {
        start = start ?? value
      } else if let from = start {
        ranges.append(from...(value - 1))
        start = nil
      }
    }
    if let from = start { ranges.append(from...ScalarClass.maximum) }
    return ScalarClass(ranges)
  }

  private static let categories: [String: Set<Unicode.GeneralCategory>] = {
    let single: [String: Unicode.GeneralCategory] = [
      "Lu": .uppercaseLetter, "Ll": .lowercaseLetter, "Lt": .titlecaseLetter, "Lm": .modifierLetter, "Lo": .otherLetter,
      "Mn": .nonspacingMark, "Mc": .spacingMark, "Me": .enclosingMark,
      "Nd": .decimalNumber, "Nl": .letterNumber, "No": .otherNumber,
      "Pc": .connectorPunctuation, "Pd": .dashPunctuation, "Ps": .openPunctuation, "Pe": .closePunctuation,
      "Pi": .initialPunctuation, "Pf": .finalPunctuation, "Po": .otherPunctuation,
      "Sm": .mathSymbol, "Sc": .currencySymbol, "Sk": .modifierSymbol, "So": .otherSymbol,
      "Zs": .spaceSeparator, "Zl": .lineSeparator, "Zp": .paragraphSeparator,
      "Cc": .control, "Cf": .format, "Co": .privateUse,
    ]
    var all: [String: Set<Unicode.GeneralCategory>] = [:]
    for (name, category) in single {
      all[name, default: []].insert(category)
      all[String(name.prefix(1)), default: []].insert(category)
    }
    return all
  }()
}

/// Upper and lower case one scalar at a time, as Go's `strings` has it.
package enum SimpleCase {
  package static func lower(_ text: String) -> String { mapped(text, CaseFolding.lower) }
  package static func upper(_ text: String) -> String { mapped(text, CaseFolding.upper) }

  private static func mapped(_ text: String, _ change: (Unicode.Scalar) -> Unicode.Scalar) -> String {
    var changed = String.UnicodeScalarView()
    for scalar in text.unicodeScalars { changed.append(change(scalar)) }
    return String(changed)
  }
}
