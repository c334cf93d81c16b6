/// Shortens what the Swift runtime writes for a function: `main.foo(a: Swift.Int) -> ()` to `main.foo`.
///
/// Dropped are parameters, results, the types of properties, effects and attributes, the file discriminators of private
/// names, and what tells the pieces and specializations of one function apart; generic arguments when asked to.
/// Contexts stay: `closure #1 in main.foo`, `protocol witness for P.f in conformance main.S`.
enum SwiftNameShortener {
  static func shorten(_ text: [UInt8], keepingGenerics: Bool) -> [UInt8] {
    let shortener = Shortener(keepingGenerics: keepingGenerics)
    let short = shortener.shorten(text.span)
    return short.isEmpty ? text : short
  }

  private struct Shortener {
    let keepingGenerics: Bool

    func shorten(_ text: Span<UInt8>) -> [UInt8] {
      var kept: [UInt8] = []
      kept.reserveCapacity(text.count)
      var index = 0
      while index < text.count {
        let byte = text[index]
        let isWordStart = index == 0 || text[index - 1] == UInt8(ascii: " ")
        if isWordStart, NameText.has("reabstraction thunk helper ", at: index, in: text) {
          // From which function type to which: nothing but types follows.
          kept += "reabstraction thunk helper".utf8
          break
        }
        if isWordStart, let after = endOfSpecialization(at: index, in: text) {
          // As it is or not at all: what it says of the arguments has types and names of its own.
          if keepingGenerics { for position in index..<after { kept.append(text[position]) } }
          index = after
          continue
        }
        if isWordStart, let after = endOfNoise(at: index, in: text) {
          index = after
          continue
        }
        switch byte {
        case UInt8(ascii: "("):
          if let after = copyName(at: index, in: text, &kept) {
            index = after
          } else if isParameterList(at: index, in: text, kept), let end = NameText.end(ofGroupAt: index, in: text) {
            index = endOfEffects(at: end, in: text)
          } else {
            kept.append(byte)
            index += 1
          }
        case UInt8(ascii: "<"):
          if let last = kept.last, NameText.isIdentifier(last) || last == UInt8(ascii: ")"),
            let end = NameText.end(ofGroupAt: index, in: text)
          {
            if keepingGenerics { for position in index..<end { kept.append(text[position]) } }
            index = end
          } else {
            kept.append(byte)
            index += 1
          }
        case UInt8(ascii: " "):
          if NameText.has(" -> ", at: index, in: text) || NameText.has(" : ", at: index, in: text) {
            index = endOfType(at: index + 3, in: text)
          } else if NameText.has(" in conformance ", at: index, in: text) {
            // The type alone; which protocol stands before, which module does not matter.
            kept += " in conformance ".utf8
            index += 16
            let end = endOfConformingType(at: index, in: text)
            kept += shorten(text.extracting(index..<end))
            index = text.count
          } else {
            if kept.last != byte { kept.append(byte) }
            index += 1
          }
        case UInt8(ascii: "."):
          kept.append(byte)
          index += 1
          // An operator's own name: its < and > are no brackets.
          while index < text.count, isOperator(text[index]) {
            kept.append(text[index])
            index += 1
          }
        default:
          kept.append(byte)
          index += 1
        }
      }
      while kept.last == UInt8(ascii: " ") { kept.removeLast() }
      return kept
    }

    /// Phrases and attributes that say nothing about which function it is.
    private func endOfNoise(at index: Int, in text: Span<UInt8>) -> Int? {
      if text[index] == UInt8(ascii: "@") {
        var end = index
        while end < text.count, text[end] != UInt8(ascii: " "), text[end] != UInt8(ascii: "(") { end += 1 }
        if end < text.count, text[end] == UInt8(ascii: "("), let after = NameText.end(ofGroupAt: end, in: text) { end = after }
        return end < text.count && text[end] == UInt8(ascii: " ") ? end + 1 : nil
      }
      if NameText.has("(extension in ", at: index, in: text), let end = NameText.end(ofGroupAt: index, in: text),
        end < text.count, text[end] == UInt8(ascii: ":")
      {
        return end + 1
      }
      if text[index] == UInt8(ascii: "("), index + 1 < text.count, NameText.isDigit(text[index + 1]),
        let end = NameText.end(ofGroupAt: index, in: text)
      {
        if NameText.has(" suspend resume partial function for ", at: end, in: text) { return end + 37 }
        if NameText.has(" await resume partial function for ", at: end, in: text) { return end + 35 }
      }
      if !keepingGenerics, NameText.has("merged ", at: index, in: text) { return index + 7 }
      return nil
    }

    /// After `generic specialization <…> of ` and its like, when that begins at `index`.
    private func endOfSpecialization(at index: Int, in text: Span<UInt8>) -> Int? {
      guard NameText.has("generic ", at: index, in: text) || NameText.has("function signature specialization ", at: index, in: text)
      else { return nil }
      var bracket = index
      let limit = min(text.count, index + 80)
      while bracket < limit, text[bracket] != UInt8(ascii: "<") { bracket += 1 }
      guard bracket < limit, NameText.has("specialization ", at: bracket - 15, in: text),
        let end = NameText.end(ofGroupAt: bracket, in: text), NameText.has(" of ", at: end, in: text)
      else { return nil }
      return end + 4
    }

    /// `(foo in _0123…)` → `foo`, and `.(in _0123…)` of what has no name → nothing; `nil` for other parentheses.
    private func copyName(at index: Int, in text: Span<UInt8>, _ kept: inout [UInt8]) -> Int? {
      guard
        index == 0 || text[index - 1] == UInt8(ascii: ".") || text[index - 1] == UInt8(ascii: " ")
          || text[index - 1] == UInt8(ascii: ":"), let end = NameText.end(ofGroupAt: index, in: text)
      else { return nil }
      if NameText.has("(in _", at: index, in: text), kept.last == UInt8(ascii: ".") {
        kept.removeLast()
        return end
      }
      var position = index + 1
      while position < end, !NameText.has(" in _", at: position, in: text) { position += 1 }
      guard position < end, position > index + 1 else { return nil }
      // Nothing but the discriminator may follow.
      for rest in (position + 5)..<(end - 1) where !NameText.isIdentifier(text[rest]) { return nil }
      for copied in (index + 1)..<position { kept.append(text[copied]) }
      return end
    }

    /// Whether the parenthesis at `index` begins parameters: after a name, after an operator's `infix`, or a closure's.
    private func isParameterList(at index: Int, in text: Span<UInt8>, _ kept: [UInt8]) -> Bool {
      guard let last = kept.last else { return false }
      if NameText.isIdentifier(last) || last == UInt8(ascii: ">") || last == UInt8(ascii: ")") || isOperator(last) { return true }
      guard last == UInt8(ascii: " ") else { return false }
      // `closure #1 (…) -> …`
      var position = kept.count - 1
      while position > 0, NameText.isDigit(kept[position - 1]) { position -= 1 }
      return position < kept.count - 1 && position > 0 && kept[position - 1] == UInt8(ascii: "#")
    }

    /// After ` async`, ` throws` and their like.
    private func endOfEffects(at index: Int, in text: Span<UInt8>) -> Int {
      var index = index
      while true {
        if NameText.has(" async", at: index, in: text) {
          index += 6
        } else if NameText.has(" reasync", at: index, in: text) {
          index += 8
        } else if NameText.has(" rethrows", at: index, in: text) {
          index += 9
        } else if NameText.has(" throws", at: index, in: text) {
          index += 7
          if index < text.count, text[index] == UInt8(ascii: "("), let end = NameText.end(ofGroupAt: index, in: text) {
            index = end
          }
        } else {
          return index
        }
      }
    }

    /// Where the type that begins at `index` ends: before the ` in ` of an outer context, or with the text.
    private func endOfType(at start: Int, in text: Span<UInt8>) -> Int {
      var index = start
      while index < text.count {
        switch text[index] {
        case UInt8(ascii: "("), UInt8(ascii: "<"), UInt8(ascii: "["), UInt8(ascii: "{"):
          index = NameText.end(ofGroupAt: index, in: text) ?? text.count
        case UInt8(ascii: " "):
          // `Local #1 in main.f()` is one type.
          if NameText.has(" in ", at: index, in: text), !endsInNumber(before: index, in: text) { return index }
          index += 1
        default: index += 1
        }
      }
      return index
    }

    private func endsInNumber(before index: Int, in text: Span<UInt8>) -> Bool {
      var position = index
      while position > 0, NameText.isDigit(text[position - 1]) { position -= 1 }
      return position < index && position > 0 && text[position - 1] == UInt8(ascii: "#")
    }

    private func endOfConformingType(at start: Int, in text: Span<UInt8>) -> Int {
      var index = start
      while index < text.count {
        switch text[index] {
        case UInt8(ascii: "("), UInt8(ascii: "<"), UInt8(ascii: "["), UInt8(ascii: "{"):
          index = NameText.end(ofGroupAt: index, in: text) ?? text.count
        case UInt8(ascii: " "):
          if NameText.has(" : ", at: index, in: text) { return index }
          index += 1
        default: index += 1
        }
      }
      return index
    }

    private func isOperator(_ byte: UInt8) -> Bool {
      switch byte {
      case UInt8(ascii: "="), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "/"), UInt8(ascii: "%"), UInt8(ascii: "^"),
        UInt8(ascii: "!"), UInt8(ascii: "~"), UInt8(ascii: "|"), UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "*"),
        UInt8(ascii: "&"), UInt8(ascii: "?"):
        true
      default: false
      }
    }
  }
}
