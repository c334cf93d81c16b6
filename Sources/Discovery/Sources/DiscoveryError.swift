import HTTP

/// Why a source could not say what there is: what was asked, what came of it and what to do.
package struct DiscoveryError: Error, Hashable, CustomStringConvertible {
  package enum Kind: Hashable, Sendable {
    case other
    /// Nobody answers, or not in time: it may come back.
    case unreachable
    /// 401: other credentials may do.
    case unauthorized
    /// 404.
    case notFound
    /// 410: what is asked for is too old; list anew.
    case expired
    case tooLarge
    /// The asking was stopped.
    case stopped
  }
  package let kind: Kind
  /// A sentence without its full stop.
  package let description: String

  package init(_ description: String, _ kind: Kind = .other) {
    self.description = description
    self.kind = kind
  }

  /// - Parameter address: what was asked, as it may be shown.
  init(_ failure: HTTPFailure, at address: String) {
    let kind: Kind =
      switch failure.kind {
      case .unresolved, .unconnected, .timedOut, .broken: .unreachable
      case .tooLarge: .tooLarge
      case .stopped: .stopped
      default: .other
      }
    self.init("\(address): \(failure.message)", kind)
  }

  /// An answer that is not 2xx.
  init(_ response: HTTPResponse, at address: String, saying message: String, advice: String = "") {
    let kind: Kind =
      switch response.status {
      case 401: .unauthorized
      case 404: .notFound
      case 410: .expired
      case 429, 500...599: .unreachable
      default: .other
      }
    let text = message.isEmpty ? "" : ": " + ShownText.shortened(message)
    self.init("\(address) answers HTTP \(response.status)\(text)\(advice.isEmpty ? "" : ". " + advice)", kind)
  }
}

/// What servers and programs say, as it is shown: one line, not too long, nothing that moves a terminal.
enum ShownText {
  private static let maximumCharacters = 300

  static func shortened(_ text: String) -> String {
    let line = text.unicodeScalars.map { $0.value < 0x20 || (0x7f..<0xa0).contains($0.value) ? " " : Character($0) }
    let shown = String(line.prefix(maximumCharacters)).split(separator: " ").joined(separator: " ")
    return line.count > maximumCharacters ? shown + "…" : shown
  }
}
