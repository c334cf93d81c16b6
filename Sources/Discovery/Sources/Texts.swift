import Base

/// Keys of other systems as parts of label names.
enum LabelName {
  /// Every character that is no ASCII letter, digit or underscore becomes an underscore, as Prometheus does it.
  static func sanitized(_ key: String) -> String {
    var bytes: [UInt8] = []
    for scalar in key.unicodeScalars {
      switch scalar {
      case "a"..."z", "A"..."Z", "0"..."9", "_": bytes.append(UInt8(truncatingIfNeeded: scalar.value))
      default: bytes.append(UInt8(ascii: "_"))
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}

enum HostPort {
  /// `HOST:PORT`, with brackets around an IPv6 address.
  static func joined(_ host: String, _ port: Int) -> String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

extension JSONValue {
  /// The texts of an object by key, in order; of a key that comes twice the last counts, and it stands where that does.
  var texts: [(key: String, value: String)] {
    guard case .object(let members) = self else { return [] }
    return members.compactMap { member in member.value.text.map { (member.key, $0) } }
  }
}
