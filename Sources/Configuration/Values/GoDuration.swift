/// Durations as Go writes them: `1h30m`, `1.5s`, `300ms`; units ns, us, µs, ms, s, m and h.
enum GoDuration {
  private static let units: [(name: String, nanoseconds: Double)] = [
    ("ns", 1), ("us", 1e3), ("µs", 1e3), ("μs", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 60e9), ("h", 3600e9),
  ]

  /// - Returns: nanoseconds, or Go's reason for refusing the text.
  static func parse(_ text: String) -> Result<Int64, InvalidDuration> {
    let quoted = AlloyValue.string(text).written
    let invalid = Result<Int64, InvalidDuration>.failure(InvalidDuration(message: "time: invalid duration \(quoted)"))
    var rest = Substring(text)
    var sign = 1.0
    if rest.hasPrefix("-") || rest.hasPrefix("+") { sign = rest.removeFirst() == "-" ? -1 : 1 }
    if rest == "0" { return .success(0) }
    guard !rest.isEmpty else { return invalid }
    var total = 0.0
    while !rest.isEmpty {
      let number = rest.prefix { $0 == "." || ("0"..."9").contains($0) }
      guard !number.isEmpty, number != ".", number.count(where: { $0 == "." }) <= 1, let value = Self.number(from: number) else {
        return invalid
      }
      rest = rest.dropFirst(number.count)
      let unit = rest.prefix { $0 != "." && !("0"..."9").contains($0) }
      guard !unit.isEmpty else { return .failure(InvalidDuration(message: "time: missing unit in duration \(quoted)")) }
      guard let known = units.first(where: { $0.name == unit }) else {
        return .failure(InvalidDuration(message: "time: unknown unit \(AlloyValue.string(String(unit)).written) in duration \(quoted)"))
      }
      total += value * known.nanoseconds
      rest = rest.dropFirst(unit.count)
    }
    // 292 years, as a count of nanoseconds in 64 bits.
    guard let nanoseconds = Int64(exactly: (sign * total).rounded(.towardZero)) else { return invalid }
    return .success(nanoseconds)
  }

  private static func number(from text: Substring) -> Double? {
    Double((text.hasPrefix(".") ? "0" : "") + text + (text.hasSuffix(".") ? "0" : ""))
  }

  /// The shortest way to write it: `1m30s`, `15s`, `500ms`.
  static func written(_ nanoseconds: Int64) -> String {
    if nanoseconds == 0 { return "0s" }
    var rest = nanoseconds.magnitude
    var text = nanoseconds < 0 ? "-" : ""
    for (name, size) in [("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1000), ("ns", 1)]
      as [(String, UInt64)]
    {
      if rest >= size { text += "\(rest / size)\(name)" }
      rest %= size
    }
    return text
  }
}

struct InvalidDuration: Error {
  var message: String
}
