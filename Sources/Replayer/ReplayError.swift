package import Base
package import TraceFormat

/// Why a trace could not be replayed.
package enum ReplayError: Error {
  case trace(TraceError)
  /// No memory for what the trace needs.
  case system(SystemCallError)
}

extension ReplayError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .trace(let error): "\(error)"
    case .system(let error): "\(error)"
    }
  }
}
