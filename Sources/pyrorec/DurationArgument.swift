import ArgumentParser

/// A length of time on the command line: `60s`, `1m30s`, `500ms`, `1.5h`. As Go writes durations.
struct DurationArgument: ExpressibleByArgument {
  let nanoseconds: UInt64

  private static let units: [(name: String, nanoseconds: Double)] = [
    ("ns", 1), ("us", 1e3), ("µs", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 60e9), ("h", 3600e9),
  ]

  init?(argument: String) {
    var rest = argument[...]
    var total = 0.0
    guard !rest.isEmpty else { return nil }
    while !rest.isEmpty {
      let digits = rest.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
      rest = rest.dropFirst(digits.count)
      let unit = rest.prefix { !$0.isNumber && $0 != "." }
      rest = rest.dropFirst(unit.count)
      guard let number = Double(digits), let factor = Self.units.first(where: { $0.name == unit })?.nanoseconds else { return nil }
      total += number * factor
    }
    // Over a century is a slip of the finger.
    guard total > 0, total < 3.2e18 else { return nil }
    nanoseconds = UInt64(total)
  }
}
