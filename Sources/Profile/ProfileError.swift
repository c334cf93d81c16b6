package import Base

/// Why bytes are not a profile.
package enum ProfileError: Error, Hashable {
  /// They do not follow profile.proto.
  case malformed(MalformedInput)
  /// The gzip around them is damaged or ends early.
  case gzip(String)
  /// More than this program takes.
  case overLimit(what: String, limit: Int)
}

extension ProfileError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .malformed(let cause): "not a pprof profile: \(cause)"
    case .gzip(let why): "the gzip data is damaged: \(why)"
    case .overLimit(let what, let limit): "it holds more than \(limit) \(what), the limit for one profile"
    }
  }
}
