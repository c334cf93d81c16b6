package import HTTP

/// Says who is sending, anew for every request, because what it says so with may change meanwhile.
package protocol Authorization: Sendable {
  /// The header, or `nil` for none.
  func header() throws(UploadError) -> HTTPHeader?
  /// The server did not take the last header: one that is remembered is asked for again.
  func wasRefused()
}

extension Authorization {
  package func wasRefused() {}
}

/// A user with a password, or a word and credentials.
package enum FixedAuthorization: Authorization, Hashable {
  case basic(user: Secret, password: Secret)
  /// RFC 9110, section 11.4: `Bearer` mostly.
  case scheme(String, Secret)

  package func header() throws(UploadError) -> HTTPHeader? {
    switch self {
    case .basic(let user, let password):
      return Credentials.basic(user: try user.text("basic_auth username"), password: try password.text("basic_auth password")).header
    case .scheme(let scheme, let secret):
      let credentials = try secret.text("\(scheme.lowercased()) credentials")
      return credentials.isEmpty ? nil : HTTPHeader("Authorization", "\(scheme) \(credentials)")
    }
  }
}
