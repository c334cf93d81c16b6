import Configuration
import Targets
import TestSupport

/// What reading a configuration came to.
enum Reading {
  static let environment = ConfigurationEnvironment(hostname: "host-1", version: "v1") { name in
    ["HOSTNAME": "node-7", "TOKEN": "s3cr3t-value"][name]
  }

  static func configuration(_ text: String) throws -> Configuration {
    var warnings: [Diagnostic] = []
    return try Configuration(SourceFile(name: "test.alloy", bytes: Array(text.utf8)), environment, warnings: &warnings)
  }

  /// The errors as they are printed; empty when there are none.
  static func errors(_ text: String) -> String { errors(Array(text.utf8)) }

  static func errors(_ bytes: [UInt8]) -> String {
    var warnings: [Diagnostic] = []
    do throws(Configuration.Problems) {
      _ = try Configuration(SourceFile(name: "test.alloy", bytes: bytes), environment, warnings: &warnings)
      return ""
    } catch {
      return error.text
    }
  }

  /// `LINE:COL: message` of each error.
  static func messages(_ text: String) -> [String] {
    errors(text).split(separator: "\n").filter { $0.hasPrefix("Error: test.alloy:") }.map { String($0.dropFirst(18)) }
  }

  /// The arguments of the component `id`, after what `discover` found.
  static func arguments(
    _ text: String, of id: String, discover: (String) -> [LabelSet] = { _ in [] }
  ) throws -> DecodedBlock? {
    try configuration(text).evaluate { component, _ in discover(component.id) }.results[id]?.arguments
  }

  /// The value of an expression, as one would write it; or the error.
  static func value(_ expression: String) -> String {
    let text = "pyroscope.write \"w\" {\n  external_labels = {v = encoding.to_json([\(expression)])}\n}"
    do {
      return try arguments(text, of: "pyroscope.write.w")?.map("external_labels")["v"] ?? "nothing"
    } catch let problems as Configuration.Problems {
      return problems.diagnostics.map(\.message).joined(separator: "; ")
    } catch {
      return "\(error)"
    }
  }

  static func fixture(_ name: String) throws -> String {
    String(decoding: try Fixture.bytes(Fixture.path("alloy/\(name)")), as: UTF8.self)
  }
}
