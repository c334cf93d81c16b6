package import HTTP

/// Says who is asking, anew for each request: what it says so with may change.
package protocol ServerAuthorization: Sendable {
  func headers() throws(DiscoveryError) -> [HTTPHeader]
  /// The server did not take the last ones: what is remembered is asked for again.
  func wasRefused()
}

/// Where a server is, whom to trust there and who asks.
package struct ServerAccess: Sendable {
  /// Without a slash at its end.
  package var address: String
  package var unixSocketPath: String?
  package var tls = TLSOptions()
  package var authorization: any ServerAuthorization = FixedAuthorization.none
  /// Of every request.
  package var headers: [HTTPHeader] = []
  package var maximumRedirects = 0
  /// What `tls` names by path.
  var files: [InlineFile] = []

  package init(address: String) { self.address = address }

  /// As it may be shown.
  package var shown: String { unixSocketPath.map { "unix://" + $0 } ?? HTTPAddress.shown(address) }
}

package enum FixedAuthorization: ServerAuthorization, Hashable {
  case none
  case basic(user: SecretText, password: SecretText)
  /// RFC 9110, section 11.4: `Bearer` mostly.
  case scheme(String, SecretText)

  package func headers() throws(DiscoveryError) -> [HTTPHeader] {
    switch self {
    case .none: return []
    case .basic(let user, let password):
      let pair = "\(try user.read("basic_auth username")):\(try password.read("basic_auth password"))"
      return [HTTPHeader("Authorization", "Basic " + Base64.encode(Array(pair.utf8)))]
    case .scheme(let scheme, let secret):
      let credentials = try secret.read("\(scheme) credentials")
      return credentials.isEmpty ? [] : [HTTPHeader("Authorization", "\(scheme) \(credentials)")]
    }
  }

  package func wasRefused() {}
}

/// RFC 4648, section 4.
enum Base64 {
  private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

  static func encode(_ bytes: [UInt8]) -> String {
    var text: [UInt8] = []
    for start in stride(from: 0, to: bytes.count, by: 3) {
      let group = bytes[start..<min(start + 3, bytes.count)]
      let bits = group.reduce(UInt32(0)) { $0 << 8 | UInt32($1) } << (UInt32(3 - group.count) * 8)
      for place in 0..<4 {
        text.append(place <= group.count ? alphabet[Int(bits >> UInt32(18 - 6 * place)) & 63] : UInt8(ascii: "="))
      }
    }
    return String(decoding: text, as: UTF8.self)
  }

  /// White space is passed over; `nil` for anything else that does not belong there.
  static func decode(_ text: String) -> [UInt8]? {
    var bytes: [UInt8] = []
    var bits: UInt32 = 0
    var count = 0
    var padding = 0
    for character in text.utf8 where character > 0x20 {
      if character == UInt8(ascii: "=") {
        padding += 1
        continue
      }
      guard padding == 0, let value = alphabet.firstIndex(of: character) else { return nil }
      bits = bits << 6 | UInt32(value)
      count += 1
      if count % 4 == 0 {
        bytes += [UInt8(truncatingIfNeeded: bits >> 16), UInt8(truncatingIfNeeded: bits >> 8), UInt8(truncatingIfNeeded: bits)]
        bits = 0
      }
    }
    guard padding <= 2, padding == 0 || (count + padding) % 4 == 0 else { return nil }
    switch count % 4 {
    case 0: break
    case 2: bytes.append(UInt8(truncatingIfNeeded: bits >> 4))
    case 3: bytes += [UInt8(truncatingIfNeeded: bits >> 10), UInt8(truncatingIfNeeded: bits >> 2)]
    default: return nil
    }
    return bytes
  }
}
