package import Base
package import HTTP
package import Profile

/// Why an upload cannot even begin.
package enum UploadError: Error, Hashable {
  case invalidURL(String, why: String)
  case noLibrary(HTTPError)
  case invalidHeader(name: String, why: String)
  /// A file with a password, a token or certificates.
  case unreadableFile(what: String, SystemCallError)
  case missingSecret(what: String, why: String)
  /// An input is not a profile.
  case profile(path: String, ProfileError)
  case file(SystemCallError)
  /// Another upload of the same trace is under way.
  case busy(path: String)
}

extension UploadError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .invalidURL(let url, let why): "\(url): \(why)"
    case .noLibrary(let cause): "\(cause), or use --url file:///DIR, which needs none of it."
    case .invalidHeader(let name, let why): "header \(name): \(why)"
    case .unreadableFile(let what, let cause): "\(what): \(cause)"
    case .missingSecret(let what, let why): "\(what): \(why)"
    case .profile(let path, let cause): "\(path): \(cause)"
    case .file(let cause): cause.description
    case .busy(let path): "\(path): another upload of this trace is under way; wait for it to end"
    }
  }
}
