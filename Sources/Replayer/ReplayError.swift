package import TraceFormat

/// Why a trace could not be replayed.
package enum ReplayError: Error {
  case trace(TraceError)
}

extension ReplayError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .trace(let error): "\(error)"
    }
  }
}
