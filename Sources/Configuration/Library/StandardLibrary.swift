/// Why a function could not be called; `argument` is the index of the one at fault.
struct LibraryError: Error {
  var message: String
  var argument: Int?
  init(_ message: String, argument: Int? = nil) {
    self.message = message
    self.argument = argument
  }
}

/// The functions and constants every configuration has.
struct StandardLibrary: Sendable {
  typealias Function = @Sendable (FunctionArguments) throws(LibraryError) -> AlloyValue

  private let environment: ConfigurationEnvironment
  private let functions: [String: Function]
  private let roots: [String: AlloyValue]

  init(_ environment: ConfigurationEnvironment) {
    self.environment = environment
    var functions = Self.textFunctions.merging(Self.encodingFunctions) { first, _ in first }
    functions.merge(Self.collectionFunctions) { first, _ in first }
    for (old, new) in Self.oldNames { functions[old] = functions[new] }
    self.functions = functions
    var roots: [String: AlloyValue] = [
      "constants": .object([
        "hostname": .string(environment.hostname), "os": .string(environment.operatingSystem),
        "arch": .string(environment.architecture), "version": .string(environment.version),
      ])
    ]
    for name in functions.keys.sorted() + ["env", "sys.env"] {
      let parts = name.split(separator: ".").map(String.init)
      guard parts.count == 2 else {
        roots[name] = .function(name)
        continue
      }
      var members: [String: AlloyValue] = [:]
      if case .object(let known) = roots[parts[0]] { members = known }
      members[parts[1]] = .function(name)
      roots[parts[0]] = .object(members)
    }
    self.roots = roots
  }

  /// Names of before Alloy 1.2, which still work.
  static let oldNames = [
    "concat": "array.concat", "format": "string.format", "join": "string.join",
    "nonsensitive": "convert.nonsensitive", "json_decode": "encoding.from_json", "yaml_decode": "encoding.from_yaml",
    "base64_decode": "encoding.from_base64", "replace": "string.replace", "split": "string.split",
    "to_lower": "string.to_lower", "to_upper": "string.to_upper", "trim": "string.trim",
    "trim_prefix": "string.trim_prefix", "trim_space": "string.trim_space", "trim_suffix": "string.trim_suffix",
  ]

  func value(named name: String) -> AlloyValue? { roots[name] }

  func call(_ name: String, _ arguments: [AlloyValue]) throws(LibraryError) -> AlloyValue {
    if name == "sys.env" || name == "env" {
      let variable = try FunctionArguments(values: arguments).only().string(0)
      return .string(environment.variable(variable) ?? "")
    }
    guard let function = functions[name] else { throw LibraryError("function \(name) does not exist") }
    return try function(FunctionArguments(values: arguments))
  }
}

/// What a function was called with.
struct FunctionArguments {
  let values: [AlloyValue]

  /// Checks the number of arguments.
  func only(_ count: Int = 1) throws(LibraryError) -> FunctionArguments {
    guard values.count == count else { throw LibraryError("expected \(count) args, got \(values.count)") }
    return self
  }

  func string(_ index: Int) throws(LibraryError) -> String {
    switch values[index] {
    case .string(let text): return text
    case .number(let number): return number.written
    default: throw wrong(index, "string")
    }
  }

  func array(_ index: Int) throws(LibraryError) -> [AlloyValue] {
    guard case .array(let elements) = values[index] else { throw wrong(index, "array") }
    return elements
  }

  func wrong(_ index: Int, _ expected: String) -> LibraryError {
    LibraryError("argument should be \(expected), got \(values[index].typeName)", argument: index)
  }
}
