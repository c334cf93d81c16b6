/// What a configuration may ask of the machine it is read on.
package struct ConfigurationEnvironment: Sendable {
  /// The value of an environment variable; `nil` when it is not set.
  package var variable: @Sendable (String) -> String?
  package var hostname: String
  package var operatingSystem: String
  /// Go's words: `amd64`, `arm64`.
  package var architecture: String
  package var version: String

  package init(
    hostname: String = "", operatingSystem: String = "linux", architecture: String = "amd64", version: String = "",
    variable: @escaping @Sendable (String) -> String? = { _ in nil }
  ) {
    self.hostname = hostname
    self.operatingSystem = operatingSystem
    self.architecture = architecture
    self.version = version
    self.variable = variable
  }
}
