package import Targets

/// A value of the configuration language.
package enum AlloyValue: Hashable, Sendable {
  case null
  case number(AlloyNumber)
  case string(String)
  case bool(Bool)
  case array([AlloyValue])
  case object([String: AlloyValue])
  /// A function of the standard library, by its full name.
  case function(String)
  /// Where profiles can be sent: the id of the component that takes them.
  case receiver(String)
  /// A text that is never shown and becomes no string by itself.
  case secret(String)
  case rules([RelabelRule])

  /// The word for its type in messages.
  package var typeName: String {
    switch self {
    case .null: "null"
    case .number: "number"
    case .string: "string"
    case .bool: "bool"
    case .array: "array"
    case .object: "object"
    case .function: "function"
    case .receiver: "capsule(\"ProfilesReceiver\")"
    case .secret: "capsule(\"Secret\")"
    case .rules: "capsule(\"RelabelRules\")"
    }
  }

  /// As one would write it; a secret as `(secret)`.
  package var written: String {
    switch self {
    case .null: "null"
    case .number(let number): number.written
    case .string(let text): Self.quoted(text)
    case .bool(let flag): flag ? "true" : "false"
    case .array(let elements): "[" + elements.map(\.written).joined(separator: ", ") + "]"
    case .object(let fields):
      "{" + fields.sorted { $0.key < $1.key }.map { "\(Self.key($0.key)) = \($0.value.written)" }.joined(separator: ", ") + "}"
    case .function(let name): "function(\(name))"
    case .receiver(let id): "\(id).receiver"
    case .secret: "(secret)"
    case .rules(let rules): "(\(rules.count) rules)"
    }
  }

  private static func key(_ text: String) -> String { Parser.isIdentifier(text) ? text : quoted(text) }

  private static func quoted(_ text: String) -> String {
    var quoted = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": quoted += "\\\""
      case "\\": quoted += "\\\\"
      case "\n": quoted += "\\n"
      case "\t": quoted += "\\t"
      case "\r": quoted += "\\r"
      default:
        if scalar.value < 0x20 || scalar.value == 0x7f {
          let hex = String(scalar.value, radix: 16)
          quoted += "\\x" + (hex.utf8.count == 1 ? "0" : "") + hex
        } else {
          quoted.unicodeScalars.append(scalar)
        }
      }
    }
    return quoted + "\""
  }
}

/// Whole numbers stay whole; with a fraction or out of their range they are floating.
package enum AlloyNumber: Hashable, Sendable {
  case integer(Int64)
  case float(Double)

  package var double: Double {
    switch self {
    case .integer(let integer): Double(integer)
    case .float(let float): float
    }
  }

  /// The number when it has no fraction and fits.
  package var whole: Int64? {
    switch self {
    case .integer(let integer): integer
    case .float(let float): Int64(exactly: float)
    }
  }

  package var written: String {
    switch self {
    case .integer(let integer): String(integer)
    case .float(let float): Int64(exactly: float).map { String($0) } ?? float.description
    }
  }
}
