import Base

/// Files below `fixtures/`.
package enum Fixture {
  package static func path(_ name: String) -> String { Command.repository + "/fixtures/" + name }

  /// The paths of what ends in `suffix` in a directory below `fixtures/`, sorted.
  package static func paths(in directory: String, suffix: String) -> [String] {
    DirectoryListing.names(in: path(directory)).filter { $0.hasSuffix(suffix) }.map { path(directory) + "/" + $0 }
  }

  package static func bytes(_ path: String) throws -> [UInt8] {
    try contents(of: path, limit: 64 << 20)
  }
}
