import Targets

extension StandardLibrary {
  static let textFunctions: [String: Function] = [
    "string.join": { (arguments) throws(LibraryError) in
      let parts = try arguments.only(2).array(0)
      var texts: [String] = []
      for part in parts { texts.append(try FunctionArguments(values: [part]).string(0)) }
      return .string(texts.joined(separator: try arguments.string(1)))
    },
    "string.split": { (arguments) throws(LibraryError) in
      let text = try arguments.only(2).string(0)
      let separator = try arguments.string(1)
      if separator.isEmpty { return .array(text.unicodeScalars.map { .string(String(Character($0))) }) }
      return .array(pieces(of: text, separator).map { .string($0) })
    },
    "string.replace": { (arguments) throws(LibraryError) in
      let text = try arguments.only(3).string(0)
      let old = try arguments.string(1)
      let new = try arguments.string(2)
      if old.isEmpty { return .string(new + text.unicodeScalars.map { String(Character($0)) + new }.joined()) }
      return .string(pieces(of: text, old).joined(separator: new))
    },
    "string.to_lower": { (arguments) throws(LibraryError) in .string(SimpleCase.lower(try arguments.only().string(0))) },
    "string.to_upper": { (arguments) throws(LibraryError) in .string(SimpleCase.upper(try arguments.only().string(0))) },
    "string.trim": { (arguments) throws(LibraryError) in
      let cut = Set(try arguments.only(2).string(1).unicodeScalars)
      return .string(trim(try arguments.string(0)) { cut.contains($0) })
    },
    "string.trim_space": { (arguments) throws(LibraryError) in
      .string(trim(try arguments.only().string(0)) { $0.properties.isWhitespace })
    },
    "string.trim_prefix": { (arguments) throws(LibraryError) in
      let text = try arguments.only(2).string(0)
      let prefix = try arguments.string(1)
      return .string(text.utf8.starts(with: prefix.utf8) ? String(decoding: text.utf8.dropFirst(prefix.utf8.count), as: UTF8.self) : text)
    },
    "string.trim_suffix": { (arguments) throws(LibraryError) in
      let text = try arguments.only(2).string(0)
      let suffix = try arguments.string(1)
      let ends = text.utf8.count >= suffix.utf8.count && text.utf8.suffix(suffix.utf8.count).elementsEqual(suffix.utf8)
      return .string(ends ? String(decoding: text.utf8.dropLast(suffix.utf8.count), as: UTF8.self) : text)
    },
    "string.format": { (arguments) throws(LibraryError) in
      guard !arguments.values.isEmpty else { throw LibraryError("expected at least 1 args, got 0") }
      return .string(try FormatText.format(try arguments.string(0), Array(arguments.values.dropFirst())))
    },
    "file.path_join": { (arguments) throws(LibraryError) in
      var parts: [String] = []
      for index in arguments.values.indices {
        let part = try arguments.string(index)
        if !part.isEmpty { parts.append(part) }
      }
      return .string(parts.isEmpty ? "" : cleaned(parts.joined(separator: "/")))
    },
    "convert.nonsensitive": { (arguments) throws(LibraryError) in
      switch try arguments.only().values[0] {
      case .secret(let text), .string(let text): return .string(text)
      default: throw arguments.wrong(0, "capsule(\"Secret\")")
      }
    },
  ]

  private static func pieces(of text: String, _ separator: String) -> [String] {
    let bytes = Array(text.utf8)
    let cut = Array(separator.utf8)
    var pieces: [String] = []
    var start = 0
    var place = 0
    while place + cut.count <= bytes.count {
      if bytes[place] == cut[0], bytes[place..<(place + cut.count)].elementsEqual(cut) {
        pieces.append(String(decoding: bytes[start..<place], as: UTF8.self))
        place += cut.count
        start = place
      } else {
        place += 1
      }
    }
    return pieces + [String(decoding: bytes[start...], as: UTF8.self)]
  }

  private static func trim(_ text: String, _ isCut: (Unicode.Scalar) -> Bool) -> String {
    var scalars = text.unicodeScalars[...]
    while let first = scalars.first, isCut(first) { scalars.removeFirst() }
    while let last = scalars.last, isCut(last) { scalars.removeLast() }
    return String(scalars)
  }

  /// Go's `path.Clean`.
  private static func cleaned(_ path: String) -> String {
    let isRooted = path.hasPrefix("/")
    var parts: [Substring] = []
    for part in path.split(separator: "/") where part != "." {
      if part == "..", let last = parts.last, last != ".." {
        parts.removeLast()
      } else if part != ".." || !isRooted {
        parts.append(part)
      }
    }
    let joined = parts.joined(separator: "/")
    return isRooted ? "/" + joined : joined.isEmpty ? "." : joined
  }
}

/// Go's `fmt.Sprintf`, as far as values of this language go.
enum FormatText {
  static func format(_ format: String, _ values: [AlloyValue]) throws(LibraryError) -> String {
    var text = ""
    var rest = Array(format.unicodeScalars)[...]
    var next = 0
    while let scalar = rest.popFirst() {
      guard scalar == "%" else {
        text.unicodeScalars.append(scalar)
        continue
      }
      let flags = rest.prefix { "+-# 0123456789.".unicodeScalars.contains($0) }
      rest = rest.dropFirst(flags.count)
      guard let verb = rest.popFirst() else { return text + "%!(NOVERB)" }
      if verb == "%" {
        text += "%"
        continue
      }
      guard next < values.count else {
        text += "%!\(verb)(MISSING)"
        continue
      }
      text += padded(spelled(values[next], verb, flags), flags)
      next += 1
    }
    return text
  }

  private static func spelled(_ value: AlloyValue, _ verb: Unicode.Scalar, _ flags: ArraySlice<Unicode.Scalar>) -> String {
    switch (verb, value) {
    case ("s", .string(let text)), ("v", .string(let text)): return text
    case ("q", .string): return value.written
    case ("d", .number(let number)): return number.whole.map { String($0) } ?? "%!d(float64=\(number.written))"
    case ("x", .number(let number)): return number.whole.map { String($0, radix: 16) } ?? "%!x(float64=\(number.written))"
    case ("f", .number(let number)): return fixed(number.double, digits: digits(flags) ?? 6)
    case ("t", .bool(let flag)): return flag ? "true" : "false"
    case ("v", .secret), ("s", .secret): return "(secret)"
    case ("v", _): return value.written
    default: return "%!\(verb)(\(value.typeName)=\(value.written))"
    }
  }

  private static func digits(_ flags: ArraySlice<Unicode.Scalar>) -> Int? {
    guard let dot = flags.firstIndex(of: ".") else { return nil }
    return min(Int(String(String.UnicodeScalarView(flags[(dot + 1)...]))) ?? 0, 30)
  }

  private static func fixed(_ number: Double, digits: Int) -> String {
    guard number.isFinite, number.magnitude < 1e15 else { return number.description }
    var scale = 1.0
    for _ in 0..<min(digits, 15) { scale *= 10 }
    let rounded = (number.magnitude * scale).rounded(.toNearestOrEven) / scale
    let whole = rounded.rounded(.towardZero)
    var text = (number < 0 ? "-" : "") + String(Int64(whole))
    if digits > 0 {
      let fraction = String(Int64(((rounded - whole) * scale).rounded()))
      text += "." + String(repeating: "0", count: max(0, min(digits, 15) - fraction.utf8.count)) + fraction
    }
    return text
  }

  private static func padded(_ text: String, _ flags: ArraySlice<Unicode.Scalar>) -> String {
    let digits = flags.drop { !("1"..."9").contains($0) }.prefix { ("0"..."9").contains($0) }
    guard let dotless = Int(String(String.UnicodeScalarView(digits))), flags.first != "." else { return text }
    let missing = min(dotless, 1000) - text.unicodeScalars.count
    guard missing > 0 else { return text }
    if flags.contains("-") { return text + String(repeating: " ", count: missing) }
    return String(repeating: flags.first == "0" ? "0" : " ", count: missing) + text
  }
}
