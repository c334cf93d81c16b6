/// Reads a block by its schema and finds all that is wrong with it.
struct BlockReader {
  let evaluator: Evaluator
  private(set) var problems: [Diagnostic] = []

  init(_ evaluator: Evaluator) { self.evaluator = evaluator }

  mutating func read(_ body: Body, by schema: BlockSchema, head: SourceRange) -> DecodedBlock {
    var decoded = DecodedBlock()
    var places: [String: SourceRange] = [:]
    let before = problems.count
    for argument in schema.arguments { decoded.values[argument.name] = argument.fallback }
    for statement in body.statements {
      switch statement {
      case .attribute(let attribute): read(attribute, by: schema, into: &decoded, &places)
      case .block(let block): read(block, by: schema, into: &decoded, &places)
      }
    }
    for argument in schema.arguments where argument.isRequired && places[argument.name] == nil {
      report(head, "missing required attribute \(quoted(argument.name))")
    }
    for nested in schema.blocks where nested.isRequired && places[nested.name] == nil {
      report(head, "missing required block \(quoted(nested.name))")
    }
    // What contradicts something that could not be read is not worth a word.
    if problems.count == before {
      for problem in schema.validate(decoded) {
        problems.append(Diagnostic(problem.argument.flatMap { places[$0] } ?? head, problem.message, severity: problem.severity))
      }
    }
    return decoded
  }

  private mutating func report(_ range: SourceRange, _ message: String) { problems.append(Diagnostic(range, message)) }
  private func quoted(_ text: String) -> String { AlloyValue.string(text).written }

  private mutating func read(
    _ attribute: Attribute, by schema: BlockSchema, into decoded: inout DecodedBlock, _ places: inout [String: SourceRange]
  ) {
    let name = attribute.name
    let range = attribute.nameRange.joined(with: attribute.value.range)
    guard let argument = schema.arguments.first(where: { $0.name == name }) else {
      if schema.blocks.contains(where: { $0.name == name }) {
        return report(attribute.nameRange, "\(quoted(name)) must be a block, but is used as an attribute")
      }
      return report(range, "unrecognized attribute name \(quoted(name))")
    }
    guard places[name] == nil else { return report(range, "attribute \(quoted(name)) may only be provided once") }
    places[name] = range
    let isSecret = argument.type == .secret || SecretRanges.names.contains(name)
    do throws(Diagnostic) {
      let value = try evaluator.evaluate(attribute.value, isSecret: isSecret)
      if value == .null, !argument.isRequired { return }
      decoded.values[name] = try convert(value, to: argument.type, attribute.value, isSecret)
      decoded.written.insert(name)
    } catch {
      problems.append(error)
    }
  }

  private func convert(
    _ value: AlloyValue, to type: ArgumentType, _ expression: Expression, _ isSecret: Bool
  ) throws(Diagnostic) -> AlloyValue {
    do throws(ValueConversion.Failure) {
      return try ValueConversion.convert(value, to: type)
    } catch {
      switch error {
      case .mismatch(let path, let expected, let found):
        // The element itself when it stands there, else the way to it.
        let element = place(path, in: expression)
        let shown = evaluator.shown(element ?? expression, isSecret) + (element == nil ? path : "")
        throw Diagnostic((element ?? expression).range, "\(shown) should be \(expected), got \(found)")
      case .refused(let path, let reason):
        throw Diagnostic((place(path, in: expression) ?? expression).range, isSecret ? "value cannot be used" : reason)
      }
    }
  }

  /// The expression of the element that `path` (`[0].name`) leads to.
  private func place(_ path: String, in expression: Expression) -> Expression? {
    if path.isEmpty { return expression }
    switch expression.kind {
    case .parenthesized(let inner): return place(path, in: inner)
    case .array(let elements):
      guard path.hasPrefix("["), let close = path.firstIndex(of: "]"),
        let index = Int(path[path.index(after: path.startIndex)..<close]), elements.indices.contains(index)
      else { return nil }
      return place(String(path[path.index(after: close)...]), in: elements[index])
    case .object(let fields):
      guard path.hasPrefix("."), let field = fields.last(where: { path == ".\($0.name)" }) else { return nil }
      return field.value
    default: return nil
    }
  }

  private mutating func read(
    _ block: Block, by schema: BlockSchema, into decoded: inout DecodedBlock, _ places: inout [String: SourceRange]
  ) {
    let name = block.fullName
    guard let nested = schema.blocks.first(where: { $0.name == name }) else {
      if schema.arguments.contains(where: { $0.name == name }) {
        return report(block.headRange, "\(quoted(name)) must be an attribute, but is used as a block")
      }
      return report(block.headRange, "unrecognized block name \(quoted(name))")
    }
    if let label = block.labelRange { return report(label, "block \(quoted(name)) does not support specifying labels") }
    guard nested.isRepeatable || places[name] == nil else {
      return report(block.headRange, "block \(quoted(name)) may only be specified once")
    }
    places[name] = block.headRange
    let inner = read(block.body, by: nested.schema, head: block.headRange)
    decoded.blocks[name, default: []].append(inner)
    decoded.written.insert(name)
  }
}
