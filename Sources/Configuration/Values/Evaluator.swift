/// Gives expressions their values.
struct Evaluator {
  let file: SourceFile
  let library: StandardLibrary
  /// What components export, by their id.
  var exports: [String: [String: AlloyValue]] = [:]

  /// Bytes of a text and elements of a list that operators and functions may make.
  static let maximumSize = 16 << 20

  /// `isSecret`: the value is one that no message may show.
  func evaluate(_ expression: Expression, isSecret: Bool = false) throws(Diagnostic) -> AlloyValue {
    switch expression.kind {
    case .literal(let value): return value
    case .parenthesized(let inner): return try evaluate(inner, isSecret: isSecret)
    case .identifier(let name):
      guard let value = library.value(named: name) else {
        throw Diagnostic(expression.range, "identifier \(AlloyValue.string(name).written) does not exist")
      }
      return value
    case .access(let base, let name): return try access(expression, base, name, isSecret)
    case .index(let base, let index): return try self.index(base, index, isSecret)
    case .call(let function, let arguments): return try call(function, arguments, expression.range, isSecret)
    case .array(let elements):
      var values: [AlloyValue] = []
      for element in elements { values.append(try evaluate(element, isSecret: isSecret)) }
      return .array(values)
    case .object(let fields):
      var values: [String: AlloyValue] = [:]
      for field in fields { values[field.name] = try evaluate(field.value, isSecret: isSecret) }
      return .object(values)
    case .unary(let operation, let operand):
      let value = try evaluate(operand, isSecret: isSecret)
      switch (operation, value) {
      case (.not, .bool(let flag)): return .bool(!flag)
      case (.minus, .number(.integer(let integer))) where integer != .min: return .number(.integer(-integer))
      case (.minus, .number(let number)): return .number(.float(-number.double))
      default: throw mismatch(operand, operation == .not ? "bool" : "number", value, isSecret)
      }
    case .binary(let left, let operation, let right):
      // Both sides, also of `&&` and `||`: that is what the language says.
      let first = try evaluate(left, isSecret: isSecret)
      let second = try evaluate(right, isSecret: isSecret)
      return try combine((left, first), operation, (right, second), expression.range, isSecret)
    }
  }

  /// `EXPR should be T, got U`
  func mismatch(_ expression: Expression, _ expected: String, _ value: AlloyValue, _ isSecret: Bool) -> Diagnostic {
    Diagnostic(expression.range, "\(shown(expression, isSecret)) should be \(expected), got \(value.typeName)")
  }

  func shown(_ expression: Expression, _ isSecret: Bool) -> String {
    if isSecret { return "value" }
    let text = file.text(expression.range)
    if text.utf8.count > 60 || text.contains("\n") || text.contains("@") { return "value" }
    return text
  }

  // MARK: Names

  /// The identifiers of `a.b.c`; `nil` when something else is in it.
  static func path(of expression: Expression) -> [String]? {
    switch expression.kind {
    case .identifier(let name): return [name]
    case .access(let base, let name): return path(of: base).map { $0 + [name] }
    default: return nil
    }
  }

  private func access(
    _ expression: Expression, _ base: Expression, _ name: String, _ isSecret: Bool
  ) throws(Diagnostic) -> AlloyValue {
    if let path = Self.path(of: expression) {
      let id = path.joined(separator: ".")
      if let fields = exports[id] { return .object(fields) }
    }
    let value = try evaluate(base, isSecret: isSecret)
    guard case .object(let fields) = value else {
      throw Diagnostic(base.range, "cannot access field \(AlloyValue.string(name).written) on value of type \(value.typeName)")
    }
    guard let field = fields[name] else {
      throw Diagnostic(expression.range, "field \(AlloyValue.string(name).written) does not exist")
    }
    return field
  }

  private func index(_ base: Expression, _ index: Expression, _ isSecret: Bool) throws(Diagnostic) -> AlloyValue {
    let value = try evaluate(base, isSecret: isSecret)
    let place = try evaluate(index, isSecret: isSecret)
    switch value {
    case .array(let elements):
      guard case .number(let number) = place, let whole = number.whole else { throw mismatch(index, "number", place, isSecret) }
      guard let position = Int(exactly: whole), elements.indices.contains(position) else {
        throw Diagnostic(index.range, "index \(whole) is out of range of array with length \(elements.count)")
      }
      return elements[position]
    case .object(let fields):
      guard case .string(let key) = place else { throw mismatch(index, "string", place, isSecret) }
      return fields[key] ?? .null
    default: throw Diagnostic(base.range, "expected object or array, got \(value.typeName)")
    }
  }

  private func call(
    _ function: Expression, _ arguments: [Expression], _ range: SourceRange, _ isSecret: Bool
  ) throws(Diagnostic) -> AlloyValue {
    let called = try evaluate(function, isSecret: isSecret)
    guard case .function(let name) = called else { throw mismatch(function, "function", called, isSecret) }
    var values: [AlloyValue] = []
    for argument in arguments { values.append(try evaluate(argument, isSecret: isSecret)) }
    do throws(LibraryError) {
      return try library.call(name, values)
    } catch {
      if let place = error.argument, place < arguments.count { throw Diagnostic(arguments[place].range, error.message) }
      throw Diagnostic(range, error.message)
    }
  }
}
