/// D names (D specification, "Application Binary Interface", name mangling): the path alone, without template arguments and
/// parameters, whatever the mode.
///
/// libiberty's own demangler is not used: it follows references to types as often as they stand there, so that a name of a
/// kilobyte can take for ever. Here types are only gone past.
enum DNames {
  static func isMangled(_ name: Span<UInt8>) -> Bool {
    NameText.has("_D", at: 0, in: name) && (NameText.isDigit(name[2]) || NameText.has("_Dmain", at: 0, in: name))
  }

  /// `_D3std5stdio__T8writeFlnTiZQlFNfiZv` → `std.stdio.writeFln`; `nil` for what is not mangled to its end.
  static func demangle(_ mangled: Span<UInt8>) -> [UInt8]? {
    if NameText.has("_Dmain", at: 0, in: mangled), mangled.count == 6 { return Array("D main".utf8) }
    var parser = DNameParser(mangled)
    return parser.path()
  }
}

private struct DNameParser: ~Escapable {
  private let text: Span<UInt8>
  private var place = 2
  private var shown: [UInt8] = []
  private var depth = 0
  /// Types within types.
  private static let maximumDepth = 64
  /// Types and names that may still be read: parameters that turn out to be none are read again.
  private var fuel = 1 << 14

  @_lifetime(copy text)
  init(_ text: Span<UInt8>) { self.text = text }

  private var next: UInt8 { place < text.count ? text[place] : 0 }
  private func at(_ byte: Unicode.Scalar) -> Bool { next == UInt8(ascii: byte) }
  private mutating func take(_ byte: Unicode.Scalar) -> Bool {
    guard at(byte) else { return false }
    place += 1
    return true
  }

  /// One level further in; nothing changes where that is too far.
  private mutating func enter() -> Bool {
    guard depth < Self.maximumDepth, fuel > 0 else { return false }
    depth += 1
    fuel -= 1
    return true
  }

  mutating func path() -> [UInt8]? {
    guard qualifiedName(isShown: true) else { return nil }
    if take("M") { modifiers() }
    // The type, or Z for what has none; artificial symbols end at once.
    if place < text.count, !take("Z"), !type() { return nil }
    return place == text.count && !shown.isEmpty ? shown : nil
  }

  /// Names one in another, each perhaps with the parameters of a function that the next one is in.
  private mutating func qualifiedName(isShown: Bool) -> Bool {
    guard symbolName(isShown) else { return false }
    while true {
      let before = place
      if take("M") { modifiers() }
      // Parameters belong to what another name is in; else they begin the type of this one, or are none at all.
      if isFunction, !parameters() || !isSymbolName { place = before }
      guard isSymbolName else {
        place = before
        return true
      }
      if isShown { shown.append(UInt8(ascii: ".")) }
      guard symbolName(isShown) else { return false }
    }
  }

  private var isSymbolName: Bool {
    if NameText.isDigit(next) || NameText.has("__T", at: place, in: text) || NameText.has("__U", at: place, in: text) { return true }
    guard at("Q"), let target = target(at: place + 1) else { return false }
    return NameText.isDigit(text[target.place])
  }

  private mutating func symbolName(_ isShown: Bool) -> Bool {
    guard enter() else { return false }
    defer { depth -= 1 }
    if NameText.has("__T", at: place, in: text) || NameText.has("__U", at: place, in: text) {
      place += 3
      guard symbolName(isShown) else { return false }
      return templateArguments()
    }
    if at("Q") {
      guard let target = target(at: place + 1) else { return false }
      place = target.end
      // Only to a name that stands in place, so that nothing is followed twice.
      var other = target.place
      guard let count = Self.number(text, &other), count <= text.count - other else { return false }
      if isShown { show(other, count) }
      return true
    }
    if take("0") { return true }
    guard let count = Self.number(text, &place), count > 0, count <= text.count - place else { return false }
    let end = place + count
    if NameText.has("__T", at: place, in: text) || NameText.has("__U", at: place, in: text) {
      // As compilers before 2.077 write it.
      let start = place
      if symbolName(isShown), place == end { return true }
      place = start
    }
    if isShown { show(place, count) }
    place = end
    return true
  }

  private mutating func show(_ start: Int, _ count: Int) {
    if count == 6, NameText.has("__ctor", at: start, in: text) {
      shown += "this".utf8
    } else if count == 6, NameText.has("__dtor", at: start, in: text) {
      shown += "~this".utf8
    } else {
      for index in start..<(start + count) { shown.append(text[index]) }
    }
  }

  /// `nil` without a digit, or above what a name can have.
  private static func number(_ text: Span<UInt8>, _ place: inout Int) -> Int? {
    var value = 0
    let start = place
    while place < text.count, NameText.isDigit(text[place]) {
      value = value * 10 + Int(text[place] - UInt8(ascii: "0"))
      guard value <= 1 << 20 else { return nil }
      place += 1
    }
    return place > start ? value : nil
  }

  /// Where a reference points, counted back from its Q, and where it ends.
  private func target(at start: Int) -> (place: Int, end: Int)? {
    var distance = 0
    var index = start
    while index < text.count {
      let byte = text[index]
      index += 1
      guard distance <= text.count else { return nil }
      switch byte {
      case UInt8(ascii: "A")...UInt8(ascii: "Z"): distance = distance * 26 + Int(byte - UInt8(ascii: "A"))
      case UInt8(ascii: "a")...UInt8(ascii: "z"):
        distance = distance * 26 + Int(byte - UInt8(ascii: "a"))
        let place = start - 1 - distance
        return distance > 0 && place >= 2 ? (place, index) : nil
      default: return nil
      }
    }
    return nil
  }

  private mutating func templateArguments() -> Bool {
    while place < text.count {
      if take("Z") { return true }
      _ = take("H")
      switch next {
      case UInt8(ascii: "T"):
        place += 1
        guard type() else { return false }
      case UInt8(ascii: "S"):
        place += 1
        guard qualifiedName(isShown: false) else { return false }
      case UInt8(ascii: "V"):
        place += 1
        guard type(), value() else { return false }
      case UInt8(ascii: "X"):
        place += 1
        guard let count = Self.number(text, &place), count <= text.count - place else { return false }
        place += count
      default: return false
      }
    }
    return false
  }

  private var isFunction: Bool {
    switch next {
    case UInt8(ascii: "F"), UInt8(ascii: "U"), UInt8(ascii: "V"), UInt8(ascii: "W"), UInt8(ascii: "R"), UInt8(ascii: "Y"): true
    default: false
    }
  }

  private mutating func modifiers() {
    while true {
      if take("x") || take("y") || take("O") { continue }
      guard NameText.has("Ng", at: place, in: text) else { return }
      place += 2
    }
  }

  /// A calling convention, attributes, and parameters up to their end.
  private mutating func parameters() -> Bool {
    guard isFunction else { return false }
    place += 1
    while at("N"), place + 1 < text.count, attributes(text[place + 1]) { place += 2 }
    while place < text.count {
      if take("X") || take("Y") || take("Z") { return true }
      while true {
        if take("I") || take("J") || take("K") || take("L") || take("M") { continue }
        guard NameText.has("Nk", at: place, in: text) else { break }
        place += 2
      }
      guard type() else { return false }
    }
    return false
  }

  /// Of functions; the others begin types or parameters.
  private func attributes(_ letter: UInt8) -> Bool {
    switch letter {
    case UInt8(ascii: "g"), UInt8(ascii: "h"), UInt8(ascii: "k"), UInt8(ascii: "n"): false
    case UInt8(ascii: "a")...UInt8(ascii: "m"): true
    default: false
    }
  }

  private mutating func type() -> Bool {
    guard place < text.count, enter() else { return false }
    defer { depth -= 1 }
    if isFunction { return parameters() && type() }
    let letter = text[place]
    place += 1
    switch letter {
    case UInt8(ascii: "x"), UInt8(ascii: "y"), UInt8(ascii: "O"), UInt8(ascii: "A"), UInt8(ascii: "P"): return type()
    case UInt8(ascii: "G"): return Self.number(text, &place) != nil && type()
    case UInt8(ascii: "H"): return type() && type()
    case UInt8(ascii: "C"), UInt8(ascii: "S"), UInt8(ascii: "E"), UInt8(ascii: "T"), UInt8(ascii: "I"):
      return qualifiedName(isShown: false)
    case UInt8(ascii: "D"):
      modifiers()
      if at("Q") { return type() }
      return parameters() && type()
    case UInt8(ascii: "Q"):
      guard let target = target(at: place) else { return false }
      place = target.end
      return true
    case UInt8(ascii: "B"):
      while place < text.count {
        if take("Z") { return true }
        guard type() else { return false }
      }
      return false
    case UInt8(ascii: "N"):
      if take("n") { return true }
      return (take("g") || take("h")) && type()
    case UInt8(ascii: "z"): return take("i") || take("k")
    case UInt8(ascii: "a")...UInt8(ascii: "w"): return true
    default: return false
    }
  }

  private mutating func value() -> Bool {
    guard place < text.count, enter() else { return false }
    defer { depth -= 1 }
    if NameText.isDigit(next) { return Self.number(text, &place) != nil }
    let letter = text[place]
    place += 1
    switch letter {
    case UInt8(ascii: "n"): return true
    case UInt8(ascii: "i"), UInt8(ascii: "N"): return digits()
    case UInt8(ascii: "e"): return real()
    case UInt8(ascii: "c"): return real() && take("c") && real()
    case UInt8(ascii: "a"), UInt8(ascii: "w"), UInt8(ascii: "d"):
      guard let count = Self.number(text, &place), take("_"), 2 * count <= text.count - place else { return false }
      place += 2 * count
      return true
    case UInt8(ascii: "A"), UInt8(ascii: "S"):
      guard let count = Self.number(text, &place) else { return false }
      // Of an associative array there are pairs, which nothing here tells apart.
      for _ in 0..<min(count, text.count) where !value() { return false }
      return true
    case UInt8(ascii: "f"):
      guard NameText.has("_D", at: place, in: text) else { return false }
      place += 2
      return qualifiedName(isShown: false) && type()
    default: return false
    }
  }

  /// A number of any length.
  private mutating func digits() -> Bool {
    let start = place
    while NameText.isDigit(next) { place += 1 }
    return place > start
  }

  /// `NAN`, `INF`, `NINF`, or hexadecimal digits, P and an exponent.
  private mutating func real() -> Bool {
    if NameText.has("NAN", at: place, in: text) || NameText.has("INF", at: place, in: text) {
      place += 3
      return true
    }
    _ = take("N")
    if NameText.has("INF", at: place, in: text) {
      place += 3
      return true
    }
    while NameText.isDigit(next) || next >= UInt8(ascii: "A") && next <= UInt8(ascii: "F") { place += 1 }
    guard take("P") else { return false }
    _ = take("N")
    return digits()
  }
}
