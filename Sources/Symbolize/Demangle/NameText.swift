/// Helpers for reading demangled text byte by byte.
enum NameText {
  static func isIdentifier(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
      UInt8(ascii: "_"), UInt8(ascii: "$"), 0x80...:
      true
    default: false
    }
  }

  static func isDigit(_ byte: UInt8) -> Bool { byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") }

  static func has(_ word: StaticString, at index: Int, in text: Span<UInt8>) -> Bool {
    let count = word.utf8CodeUnitCount
    guard index >= 0, index + count <= text.count else { return false }
    for offset in 0..<count {
      // Safe: `offset` is below the word's own count.
      guard unsafe text[index + offset] == word.utf8Start[offset] else { return false }
    }
    return true
  }

  /// The index after the bracket that closes the one at `start` (`(`, `<`, `[` or `{`); `nil` when none does.
  ///
  /// `->` closes nothing. Inside parentheses a `<` or `>` may be an operator: the closing parenthesis ends whatever
  /// was opened within, and a `>` closes only a `<` opened since. In the arguments of a specialization, `<…> of …`, Swift's
  /// runtime leaves a `[` open, so there the `>` closes that too.
  /// - Parameter hasOperators: whether `operator<` and its like may occur, whose brackets are none.
  static func end(ofGroupAt start: Int, in text: Span<UInt8>, hasOperators: Bool = false) -> Int? {
    var open: [UInt8] = []
    var index = start
    while index < text.count {
      let byte = text[index]
      switch byte {
      case UInt8(ascii: "o"):
        guard hasOperators, index > 0 else { break }
        let symbol = CPlusNames.operatorEnd(at: index, in: text, after: text[index - 1])
        if symbol > index {
          index = symbol
          continue
        }
      case UInt8(ascii: "("), UInt8(ascii: "["), UInt8(ascii: "{"), UInt8(ascii: "<"):
        open.append(byte)
      case UInt8(ascii: ">"):
        if index > 0, text[index - 1] == UInt8(ascii: "-") { break }
        if has(" of ", at: index + 1, in: text), let last = open.lastIndex(where: { $0 != UInt8(ascii: "[") }),
          open[last] == UInt8(ascii: "<")
        {
          open.removeSubrange((last + 1)...)
        }
        if open.last == UInt8(ascii: "<") { open.removeLast() }
      case UInt8(ascii: ")"), UInt8(ascii: "]"), UInt8(ascii: "}"):
        let opener: UInt8 =
          byte == UInt8(ascii: ")") ? UInt8(ascii: "(") : byte == UInt8(ascii: "]") ? UInt8(ascii: "[") : UInt8(ascii: "{")
        while let last = open.last, last != opener { open.removeLast() }
        if open.isEmpty { return nil }
        open.removeLast()
      default: break
      }
      index += 1
      if open.isEmpty { return index }
    }
    return nil
  }
}
