/// OCaml names: `caml`, the compilation unit, a separator, the value and a number that tells it from others of its name
/// (`asmcomp/compilenv.ml`; from OCaml 5.1 on the separator may be a dot). The C functions of its runtime are `caml_…`.
enum OCamlNames {
  static func isMangled(_ name: Span<UInt8>) -> Bool {
    name.count > 7 && NameText.has("caml", at: 0, in: name) && isUpper(name[4])
  }

  private static func isUpper(_ byte: UInt8) -> Bool { byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z") }

  /// `camlStdlib__List__map_507` → `Stdlib.List.map`; functions without a name keep their number: `Main.fun_12`.
  static func demangle(_ mangled: Span<UInt8>) -> [UInt8]? {
    var path: [UInt8] = []
    var place = 4
    var isInPath = true
    while place < mangled.count {
      let isPair = NameText.has("__", at: place, in: mangled)
      // Only what is in modules: a value may have two underscores in its name.
      if isInPath, isPair || mangled[place] == UInt8(ascii: "."), place + (isPair ? 2 : 1) < mangled.count {
        place += isPair ? 2 : 1
        isInPath = isUpper(mangled[place])
        path.append(UInt8(ascii: "."))
        continue
      }
      if mangled[place] == UInt8(ascii: "$"), place + 2 < mangled.count, let high = digit(mangled[place + 1]),
        let low = digit(mangled[place + 2])
      {
        let byte = high << 4 | low
        guard byte > 0x20, byte < 0x7f else { return nil }
        path.append(byte)
        place += 3
        continue
      }
      path.append(mangled[place])
      place += 1
    }
    guard let dot = path.lastIndex(of: UInt8(ascii: ".")) else { return nil }
    var end = path.count
    while end > dot + 1, NameText.isDigit(path[end - 1]) { end -= 1 }
    guard end < path.count, end > dot + 2, path[end - 1] == UInt8(ascii: "_") else { return path }
    return path[(dot + 1)...].starts(with: "fun_".utf8) ? path : Array(path[..<(end - 1)])
  }

  private static func digit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
  }
}
