package import Targets

/// What an argument's value has to be.
indirect enum ArgumentType: Hashable, Sendable {
  case string
  case bool
  case integer
  case float
  case duration
  /// A string or a secret; becomes a secret.
  case secret
  case list(ArgumentType)
  case map(ArgumentType)
  /// A list of maps from string to string.
  case targets
  case receivers
  /// A word of a list; what else is written there is refused with the list.
  case word([String])

  /// As Alloy's messages name it.
  var name: String {
    switch self {
    case .string, .duration, .word: "string"
    case .bool: "bool"
    case .integer, .float: "number"
    case .secret: "capsule(\"Secret\")"
    case .list, .targets, .receivers: "array"
    case .map: "object"
    }
  }
}

/// A block's arguments and the blocks it may have.
struct BlockSchema: Sendable {
  struct Argument: Sendable {
    var name: String
    var type: ArgumentType
    var isRequired = false
    /// What it is when it is left out; `nil` for absent.
    var fallback: AlloyValue?
    /// Accepted because configurations have it; nothing reads it.
    var isIgnored = false
  }
  struct Nested: Sendable {
    var name: String
    var schema: BlockSchema
    var isRequired = false
    var isRepeatable = false
  }
  var arguments: [Argument] = []
  var blocks: [Nested] = []
  /// What no single argument shows to be wrong.
  var validate: @Sendable (DecodedBlock) -> [Problem] = { _ in [] }

  /// What it is when nothing of it is written.
  var defaults: DecodedBlock {
    var block = DecodedBlock()
    for argument in arguments { block.values[argument.name] = argument.fallback }
    return block
  }

  /// A problem with an argument or, with `nil`, the whole block.
  struct Problem: Sendable {
    var argument: String?
    var message: String
    /// An error stops; of a warning Alloy would say nothing.
    var severity = Diagnostic.Severity.error
    init(_ message: String, at argument: String? = nil, severity: Diagnostic.Severity = .error) {
      self.argument = argument
      self.message = message
      self.severity = severity
    }
  }

  static func required(_ name: String, _ type: ArgumentType) -> Argument {
    Argument(name: name, type: type, isRequired: true)
  }
  static func optional(_ name: String, _ type: ArgumentType, _ fallback: AlloyValue? = nil) -> Argument {
    Argument(name: name, type: type, fallback: fallback)
  }
  static func ignored(_ name: String, _ type: ArgumentType, _ fallback: AlloyValue? = nil) -> Argument {
    Argument(name: name, type: type, fallback: fallback, isIgnored: true)
  }
}

/// A block that has been read: every argument with its value or its default.
package struct DecodedBlock: Hashable, Sendable {
  /// Converted to their types: durations are numbers of nanoseconds, secrets secrets.
  var values: [String: AlloyValue] = [:]
  var written: Set<String> = []
  var blocks: [String: [DecodedBlock]] = [:]

  /// Whether the configuration says it, rather than the default.
  package func has(_ name: String) -> Bool { written.contains(name) }
  package func block(_ name: String) -> DecodedBlock? { blocks[name]?.first }
  package func blocks(_ name: String) -> [DecodedBlock] { blocks[name] ?? [] }

  package func string(_ name: String) -> String {
    switch values[name] {
    case .string(let text), .secret(let text): text
    default: ""
    }
  }
  package func bool(_ name: String) -> Bool { values[name] == .bool(true) }
  package func integer(_ name: String) -> Int64 {
    if case .number(let number) = values[name] { number.whole ?? 0 } else { 0 }
  }
  package func float(_ name: String) -> Double {
    if case .number(let number) = values[name] { number.double } else { 0 }
  }
  /// In nanoseconds.
  package func duration(_ name: String) -> Int64 { integer(name) }
  package func strings(_ name: String) -> [String] {
    guard case .array(let elements) = values[name] else { return [] }
    return elements.compactMap { if case .string(let text) = $0 { text } else { nil } }
  }
  package func map(_ name: String) -> [String: String] {
    guard case .object(let fields) = values[name] else { return [:] }
    return fields.compactMapValues {
      switch $0 {
      case .string(let text), .secret(let text): text
      default: nil
      }
    }
  }
  /// Lists by name, sorted by it.
  package func lists(_ name: String) -> [(name: String, values: [String])] {
    guard case .object(let fields) = values[name] else { return [] }
    return fields.sorted { $0.key < $1.key }.map { key, value in
      guard case .array(let elements) = value else { return (key, []) }
      return (
        key,
        elements.compactMap {
          switch $0 {
          case .string(let text), .secret(let text): text
          default: nil
          }
        }
      )
    }
  }
  /// Ids of the components that take what is forwarded.
  package func receivers(_ name: String) -> [String] {
    guard case .array(let elements) = values[name] else { return [] }
    return elements.compactMap { if case .receiver(let id) = $0 { id } else { nil } }
  }
  package func targets(_ name: String) -> [LabelSet] {
    guard case .array(let elements) = values[name] else { return [] }
    return elements.map { element in
      guard case .object(let fields) = element else { return LabelSet() }
      return LabelSet(fields.compactMapValues { if case .string(let text) = $0 { text } else { nil } })
    }
  }
}
