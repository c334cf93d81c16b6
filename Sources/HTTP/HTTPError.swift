/// libcurl is missing or cannot be used here, and so is the curl program.
package struct HTTPError: Error, Hashable {
  package let why: String
  /// Whether installing the library would help.
  package let canBeInstalled: Bool
  package init(why: String, canBeInstalled: Bool) {
    self.why = why
    self.canBeInstalled = canBeInstalled
  }
}

extension HTTPError: CustomStringConvertible {
  /// What is wrong and what to install, without a full stop.
  package var description: String {
    canBeInstalled
      ? "libcurl cannot be loaded: \(why). Install it (Debian and Ubuntu: apt install libcurl4)"
      : "libcurl cannot be loaded: \(why). Install the curl program, which serves as well (Debian and Ubuntu: apt install curl)"
  }
}
