import HTTP

/// The two ways a request is made.
enum Way: CaseIterable {
  case library, program

  func transport(_ tls: TLSOptions = TLSOptions()) throws(HTTPError) -> CurlTransport {
    switch self {
    case .library: try CurlTransport(tls: tls, usesProgram: false)
    case .program: try CurlTransport(tls: tls, libraryNames: [])
    }
  }

  /// The program is not part of what a host must have.
  static let here: [Way] = (try? Way.program.transport()) == nil ? [.library] : allCases
}
