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
      .basic(user: user, password: password)
    case .bearer(let token): HTTPHeader("Authorization", "Bearer " + token)
    }
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
