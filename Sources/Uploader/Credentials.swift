import HTTP

/// Who is sending. Never printed: its description says only of which kind it is.
package enum Credentials: Hashable, Sendable {
  case none
  case basic(user: String, password: String)
  case bearer(token: String)

  /// The value of the `Authorization` header.
  var header: HTTPHeader? {
    switch self {
    case .none: nil
    case .basic(let user, let password):
      HTTPHeader("Authorization", "Basic " + Self.base64(Array("\(user):\(password)".utf8)))
    case .bearer(let token): HTTPHeader("Authorization", "Bearer " + token)
    }
  }

  /// RFC 4648, section 4.
  static func base64(_ bytes: [UInt8]) -> String {
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    var text: [UInt8] = []
    for start in stride(from: 0, to: bytes.count, by: 3) {
      let group = bytes[start..<min(start + 3, bytes.count)]
      var bits = group.reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
      bits <<= UInt32(3 - group.count) * 8
      for place in 0..<4 {
        let digit = Int(bits >> UInt32(18 - 6 * place)) & 63
        text.append(place <= group.count ? alphabet[digit] : UInt8(ascii: "="))
      }
    }
    return String(decoding: text, as: UTF8.self)
  }
}

extension Credentials: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  package var description: String {
    switch self {
    case .none: "no credentials"
    case .basic: "a user name and password"
    case .bearer: "a bearer token"
    }
  }
  package var debugDescription: String { description }
  package var customMirror: Mirror { Mirror(self, children: []) }
}
