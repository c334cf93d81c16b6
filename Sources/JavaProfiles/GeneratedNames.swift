/// Names of classes that a JVM makes while it runs: numbered or addressed anew in every process, so that the same code
/// would have another name each time. Their changing part becomes `_`.
enum GeneratedNames {
  /// - Parameters:
  ///   - name: a class as recorded, or of native frames the name of a library.
  static func folded(_ name: [UInt8]) -> [UInt8] {
    var name = name[...]
    var isHidden = false
    // `Names$$Lambda$8+0x…/662268633` (17), `Names$$Lambda/0x…` (25), `Names$$Lambda$8.0x…` (async-profiler).
    if let stem = withoutAddress(name) {
      name = stem
      isHidden = true
    }
    if let end = range(of: "$$Lambda", in: name)?.upperBound, isHidden || name[end...].allSatisfy(isLambdaTail) {
      return slashed(name[..<end]) + [underscore]
    }
    if isHidden { return slashed(name) + [underscore] }
    for marker in [
      "$$EnhancerBySpringCGLIB$$", "$$FastClassBySpringCGLIB$$", "$$EnhancerByCGLIB$$", "$$FastClassByCGLIB$$", "$$SpringCGLIB$$",
    ] {
      if let end = range(of: marker, in: name)?.upperBound { return Array(name[..<end]) + [underscore] }
    }
    let stem = name.dropLast(name.reversed().prefix(while: isDigit).count)
    if stem.count < name.count {
      for ending in ["GeneratedMethodAccessor", "GeneratedConstructorAccessor", "GeneratedSerializationConstructorAccessor", "$Proxy"]
      where hasSuffix(stem, ending) { return Array(stem) + [underscore] }
    }
    return library(name) ?? Array(name)
  }

  private static let underscore = UInt8(ascii: "_")
  private static func isDigit(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 }
  private static func isHex(_ byte: UInt8) -> Bool { isDigit(byte) || (byte | 0x20 >= 0x61 && byte | 0x20 <= 0x66) }
  private static func isLambdaTail(_ byte: UInt8) -> Bool { isHex(byte) || byte == UInt8(ascii: "$") || byte == UInt8(ascii: "/") }

  /// What stands before `+0x1f/123`, `/0x1f` or `.0x1f` at the end.
  private static func withoutAddress(_ name: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
    var rest = name
    let digits = rest.reversed().prefix(while: isDigit).count
    if digits > 0, rest.dropLast(digits).last == UInt8(ascii: "/") {
      let shorter = rest.dropLast(digits + 1)
      if let stem = withoutHex(shorter) { return stem }
    }
    rest = name
    return withoutHex(rest)
  }

  private static func withoutHex(_ name: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
    let digits = name.reversed().prefix(while: isHex).count
    let head = name.dropLast(digits)
    guard digits > 0, head.last == UInt8(ascii: "x"), head.dropLast().last == UInt8(ascii: "0") else { return nil }
    let stem = head.dropLast(2)
    guard let mark = stem.last, mark == UInt8(ascii: "+") || mark == UInt8(ascii: "/") || mark == UInt8(ascii: ".") else { return nil }
    return stem.count > 1 ? stem.dropLast() : nil
  }

  /// JDK 17 writes the names of hidden classes with dots, all others with slashes.
  private static func slashed(_ name: ArraySlice<UInt8>) -> [UInt8] {
    name.contains(UInt8(ascii: "/")) ? Array(name) : name.map { $0 == UInt8(ascii: ".") ? UInt8(ascii: "/") : $0 }
  }

  /// Libraries that are unpacked under a name of their own each time.
  private static func library(_ name: ArraySlice<UInt8>) -> [UInt8]? {
    for stem in ["libzstd-jni-", "libamazonCorrettoCryptoProvider", "libasyncProfiler-"] {
      guard let found = range(of: stem, in: name), range(of: ".so", in: name[found.upperBound...]) != nil else { continue }
      return Array(stem.utf8) + Array("_.so".utf8)
    }
    return nil
  }

  private static func hasSuffix(_ name: ArraySlice<UInt8>, _ ending: String) -> Bool {
    name.suffix(ending.utf8.count).elementsEqual(ending.utf8)
  }

  private static func range(of text: String, in name: ArraySlice<UInt8>) -> Range<Int>? {
    let wanted = Array(text.utf8)
    guard let first = wanted.first, name.count >= wanted.count else { return nil }
    for start in name.startIndex...(name.endIndex - wanted.count) where name[start] == first {
      if name[start..<start + wanted.count].elementsEqual(wanted) { return start..<start + wanted.count }
    }
    return nil
  }
}
