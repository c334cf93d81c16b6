import CDemangle

/// Rust names: the legacy mangling (an Itanium name with a hash) and v0 (Rust RFC 2603).
enum RustNames {
  /// Legacy names have no arguments to drop, so all modes read alike. `nil` for what is plain C++.
  static func demangleLegacy(_ mangled: Span<UInt8>) -> [UInt8]? {
    // 17h, sixteen digits, E, and perhaps a suffix that begins with a dot.
    var end = mangled.count
    for index in 0..<end where mangled[index] == UInt8(ascii: "E") {
      if index + 1 == end || mangled[index + 1] == UInt8(ascii: ".") {
        guard index >= 19, NameText.has("17h", at: index - 19, in: mangled) else { return nil }
        end = index + 1
        break
      }
    }
    return Demangler.run(mangled.extracting(0..<end), PYROREC_RUST)
  }

  static func demangle(_ mangled: Span<UInt8>, _ mode: DemangleMode) -> [UInt8]? {
    // The alphabet of v0 has no dot: what follows one is a suffix of the compiler's back end.
    var end = 0
    while end < mangled.count, mangled[end] != UInt8(ascii: ".") { end += 1 }
    guard let text = Demangler.run(mangled.extracting(0..<end), PYROREC_RUST) else { return nil }
    return mode == .simplified ? withoutGenericArguments(text) ?? text : text
  }

  /// `std::mem::align_of::<f64>` → `std::mem::align_of`, `<alloc::vec::Vec<u8>>::push` → `<alloc::vec::Vec>::push`.
  ///
  /// Brackets after a name or `::` are arguments; others (`<T as Trait>::method`) belong to the path and stay.
  static func withoutGenericArguments(_ text: [UInt8]) -> [UInt8]? {
    let span = text.span
    var kept: [UInt8] = []
    kept.reserveCapacity(text.count)
    var index = 0
    while index < span.count {
      let byte = span[index]
      if byte == UInt8(ascii: "<"), let last = kept.last {
        let isAfterPath = last == UInt8(ascii: ":")
        if NameText.isIdentifier(last) || isAfterPath {
          guard let end = NameText.end(ofGroupAt: index, in: span) else { return nil }
          if isAfterPath, kept.count >= 2 { kept.removeLast(2) }
          index = end
          continue
        }
      }
      kept.append(byte)
      index += 1
    }
    return kept
  }
}
