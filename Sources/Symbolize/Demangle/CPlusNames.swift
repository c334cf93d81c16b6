import CDemangle

/// C++ names as gcc and clang mangle them (Itanium C++ ABI, section 5.1).
enum CPlusNames {
  static func demangle(_ mangled: Span<UInt8>, _ mode: DemangleMode) -> [UInt8]? {
    switch mode {
    case .none: return nil
    case .full:
      guard let text = Demangler.run(mangled, PYROREC_CPLUS_SIGNATURE) else { return nil }
      return withoutCloneSuffixes(text)
    case .templates:
      guard let text = Demangler.run(mangled, PYROREC_CPLUS_NAME) else { return nil }
      return withoutEnclosingParameters(withoutCloneSuffixes(text))
    case .simplified:
      guard let text = Demangler.run(mangled, PYROREC_CPLUS_NAME) else { return nil }
      let named = withoutEnclosingParameters(withoutCloneSuffixes(text))
      return withoutTemplateArguments(named) ?? named
    }
  }

  /// Drops ` [clone .cold]` from the end, as often as it stands there.
  static func withoutCloneSuffixes(_ text: [UInt8]) -> [UInt8] {
    var end = text.count
    while end > 0, text[end - 1] == UInt8(ascii: "]"),
      let start = text[..<end].lastIndex(of: UInt8(ascii: "[")), start > 0,
      NameText.has("[clone ", at: start, in: text.span), text[start - 1] == UInt8(ascii: " ")
    {
      end = start - 1
    }
    return end == text.count ? text : Array(text[..<end])
  }

  /// `foo(int)::{lambda()#1}` → `foo::{lambda()#1}`: the parameters, and what qualifies them, of functions that others lie in.
  static func withoutEnclosingParameters(_ text: [UInt8]) -> [UInt8] {
    let span = text.span
    guard text.contains(UInt8(ascii: ")")) else { return text }
    var kept: [UInt8] = []
    kept.reserveCapacity(text.count)
    var index = 0
    while index < span.count {
      let byte = span[index]
      if byte == UInt8(ascii: "("), let last = kept.last, follows(last),
        let end = NameText.end(ofGroupAt: index, in: span, hasOperators: true), let after = endOfQualifiers(at: end, in: span)
      {
        index = after
        continue
      }
      let symbol = operatorEnd(at: index, in: span, after: kept.last)
      if symbol > index {
        for position in index..<symbol { kept.append(span[position]) }
        index = symbol
        continue
      }
      kept.append(byte)
      index += 1
    }
    return kept
  }

  /// Whether a parenthesis after `byte` begins parameters and not `(anonymous namespace)` or a function type.
  private static func follows(_ byte: UInt8) -> Bool {
    NameText.isIdentifier(byte) || byte == UInt8(ascii: ">") || byte == UInt8(ascii: "]") || byte == UInt8(ascii: ")")
      || isOperatorByte(byte)
  }

  private static func isOperatorByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "="), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "/"), UInt8(ascii: "%"), UInt8(ascii: "^"),
      UInt8(ascii: "!"), UInt8(ascii: "~"), UInt8(ascii: "|"):
      true
    default: false
    }
  }

  /// Where `::` begins, when nothing but ` const`, ` volatile`, ` &` and ` &&` stand between it and `index`.
  private static func endOfQualifiers(at index: Int, in text: Span<UInt8>) -> Int? {
    var index = index
    while true {
      if NameText.has("::", at: index, in: text) { return index }
      if NameText.has(" const", at: index, in: text) {
        index += 6
      } else if NameText.has(" volatile", at: index, in: text) {
        index += 9
      } else if NameText.has(" &&", at: index, in: text) {
        index += 3
      } else if NameText.has(" &", at: index, in: text) {
        index += 2
      } else {
        return nil
      }
    }
  }

  /// `std::vector<int, std::allocator<int> >::push_back` → `std::vector::push_back`; `nil` when the brackets do not match.
  static func withoutTemplateArguments(_ text: [UInt8]) -> [UInt8]? {
    let span = text.span
    guard text.contains(UInt8(ascii: "<")) else { return text }
    var kept: [UInt8] = []
    kept.reserveCapacity(text.count)
    var index = 0
    while index < span.count {
      let symbol = operatorEnd(at: index, in: span, after: kept.last)
      if symbol > index {
        for position in index..<symbol { kept.append(span[position]) }
        index = symbol
        // `operator< <int>`: the space is there only for the brackets.
        if NameText.has(" <", at: index, in: span) { index += 1 }
        continue
      }
      let byte = span[index]
      if byte == UInt8(ascii: "<") {
        guard let end = NameText.end(ofGroupAt: index, in: span, hasOperators: true) else { return nil }
        index = end
        continue
      }
      kept.append(byte)
      index += 1
    }
    return kept
  }

  /// The index after `operator` and its symbol when one begins at `index`, so that its `<`, `>` and `()` are not taken
  /// for brackets; `index` itself otherwise.
  static func operatorEnd(at index: Int, in text: Span<UInt8>, after last: UInt8?) -> Int {
    guard text[index] == UInt8(ascii: "o"), NameText.has("operator", at: index, in: text) else { return index }
    if let last, NameText.isIdentifier(last) { return index }
    let symbol = index + 8
    if NameText.has("<=>", at: symbol, in: text) || NameText.has("<<=", at: symbol, in: text)
      || NameText.has(">>=", at: symbol, in: text) || NameText.has("->*", at: symbol, in: text)
    {
      return symbol + 3
    }
    if NameText.has("<<", at: symbol, in: text) || NameText.has(">>", at: symbol, in: text)
      || NameText.has("<=", at: symbol, in: text) || NameText.has(">=", at: symbol, in: text)
      || NameText.has("->", at: symbol, in: text) || NameText.has("()", at: symbol, in: text)
    {
      return symbol + 2
    }
    if NameText.has("<", at: symbol, in: text) || NameText.has(">", at: symbol, in: text) { return symbol + 1 }
    return index
  }
}
