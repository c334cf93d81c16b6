/// Swift names (`$s…`, Swift's docs/ABI/Mangling).
enum SwiftNames {
  static func demangle(_ mangled: Span<UInt8>, _ mode: DemangleMode) -> [UInt8]? {
    // The alphabet has no dot: what follows one is a suffix of the compiler's back end.
    var end = 0
    while end < mangled.count, mangled[end] != UInt8(ascii: ".") { end += 1 }
    let name = mangled.extracting(0..<end)
    guard isSwift(name), SwiftNameGrowth.isHarmless(name), let text = Demangler.runSwift(name) else { return nil }
    // The runtime gives a name it cannot read back as it was.
    guard let first = text.first, first != UInt8(ascii: "$"), first != UInt8(ascii: "_") || text.count != name.count else {
      return nil
    }
    switch mode {
    case .none, .full: return text
    case .templates: return SwiftNameShortener.shorten(text, keepingGenerics: true)
    case .simplified: return SwiftNameShortener.shorten(text, keepingGenerics: false)
    }
  }

  private static func isSwift(_ name: Span<UInt8>) -> Bool {
    let start = name[0] == UInt8(ascii: "_") ? 1 : 0
    guard name.count > start + 2, name[start] == UInt8(ascii: "$") else { return false }
    let kind = name[start + 1]
    return kind == UInt8(ascii: "s") || kind == UInt8(ascii: "S") || kind == UInt8(ascii: "e")
  }
}

/// How large a Swift name may become when written out.
///
/// A mangling refers back to types it has named (`A…`), and types made of such references double with every level: 130 bytes
/// can stand for 40 MB of text. The runtime has no limit, so names that might are told by counting before it is called.
/// Counted from above: each bound generic type (`…G`, `Sg`) may hold once more what each reference in it stands for.
enum SwiftNameGrowth {
  /// As a power of two, in parts of a name. Of 258,000 functions of the Swift toolchain, 238 lie above.
  static let maximumLog2 = 20

  static func isHarmless(_ name: Span<UInt8>) -> Bool {
    // In 256ths, so that the result does not depend on floating point.
    var growth = 0
    var references = 0
    var allReferences = 0
    var otherTypes = 0
    func closeType() {
      let parts = otherTypes + 1
      growth += parts * log2In256ths((references + parts) * 256 / parts)
      allReferences += references
      references = 0
      otherTypes = 0
    }
    var index = 2
    while index < name.count {
      let byte = name[index]
      switch byte {
      case UInt8(ascii: "S"):
        if index + 1 < name.count, name[index + 1] == UInt8(ascii: "g") { closeType() }
        index += 2
      case UInt8(ascii: "A"):
        index = count(referencesAt: index + 1, in: name, &references)
      case UInt8(ascii: "G"):
        closeType()
        index += 1
      case UInt8(ascii: "Q"), UInt8(ascii: "X"):
        otherTypes += 1
        index += 1
      case UInt8(ascii: "T"), UInt8(ascii: "M"), UInt8(ascii: "W"), UInt8(ascii: "B"), UInt8(ascii: "I"), UInt8(ascii: "f"):
        index += 2
        // The pass number of a specialization is no length.
        if byte == UInt8(ascii: "T"), index < name.count, NameText.isDigit(name[index]) { index += 1 }
      default:
        index = NameText.isDigit(byte) ? end(ofIdentifierAt: index, in: name) ?? index + 1 : index + 1
      }
    }
    allReferences += references
    growth += log2In256ths((name.count + allReferences) * 256)
    return growth <= maximumLog2 * 256
  }

  /// Counts `A`'s letters, each with the number before it as often as that says.
  private static func count(referencesAt start: Int, in name: Span<UInt8>, _ references: inout Int) -> Int {
    var index = start
    var times = 1
    while index < name.count {
      let byte = name[index]
      if NameText.isDigit(byte) {
        times = 0
        while index < name.count, NameText.isDigit(name[index]) {
          times = min(times * 10 + Int(name[index] - UInt8(ascii: "0")), 65_536)
          index += 1
        }
        continue
      }
      index += 1
      if byte >= UInt8(ascii: "a"), byte <= UInt8(ascii: "z") {
        references = min(references + times, 1 << 20)
        times = 1
        continue
      }
      // An upper case letter or _ is the last.
      references = min(references + max(times, 1), 1 << 20)
      break
    }
    return index
  }

  /// The end of an identifier with its length in front, or of one put together from words; `nil` when it is neither.
  private static func end(ofIdentifierAt start: Int, in name: Span<UInt8>) -> Int? {
    var index = start
    var hasWords = false
    if name[index] == UInt8(ascii: "0") {
      index += 1
      if index < name.count, name[index] == UInt8(ascii: "0") { index += 1 } else { hasWords = true }
    }
    repeat {
      while hasWords, index < name.count {
        let byte = name[index]
        if byte >= UInt8(ascii: "a"), byte <= UInt8(ascii: "z") {
          index += 1
        } else if byte >= UInt8(ascii: "A"), byte <= UInt8(ascii: "Z") {
          index += 1
          hasWords = false
        } else {
          break
        }
      }
      if index < name.count, name[index] == UInt8(ascii: "0") { return index + 1 }
      let first = index
      var length = 0
      while index < name.count, NameText.isDigit(name[index]) {
        length = min(length * 10 + Int(name[index] - UInt8(ascii: "0")), 1 << 20)
        index += 1
      }
      guard index > first, index + length <= name.count else { return nil }
      // `12_` is an index, unless it is the discriminator of a private declaration.
      if index < name.count, name[index] == UInt8(ascii: "_"), !(length == 33 && NameText.has("LL", at: index + 33, in: name)) {
        return nil
      }
      index += length
    } while hasWords
    return index
  }

  /// 256 times the base-2 logarithm of `value` / 256, rounded up; `value` at least 256.
  private static func log2In256ths(_ value: Int) -> Int {
    let whole = Int.bitWidth - 1 - max(value, 256).leadingZeroBitCount
    // Between two powers of two, a straight line from above is near enough.
    let fraction = (max(value, 256) - (1 << whole)) * 256 / (1 << whole)
    return (whole - 8) * 256 + min(fraction + 23, 256)
  }
}
