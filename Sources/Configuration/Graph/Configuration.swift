package import Targets

/// A configuration that has been read: its components, checked, and how they hang together.
package struct Configuration: Sendable {
  package struct Component: Sendable {
    /// Name and label: `pyroscope.write.staging`.
    package let id: String
    package let kind: ComponentKind
    package let label: String
    /// Ids of the components that it refers to, in order and once each.
    package let dependencies: [String]
    /// 1-based.
    package let line: Int
    let block: Block
  }

  /// In the order of the file.
  package let components: [Component]
  package let file: SourceFile
  /// Components after those they refer to.
  let order: [Int]
  private let library: StandardLibrary

  /// Errors and warnings of one file, in its order.
  package struct Problems: Error {
    package let diagnostics: [Diagnostic]
    package let file: SourceFile

    package init(diagnostics: [Diagnostic], file: SourceFile) {
      self.diagnostics = diagnostics
      self.file = file
    }

    /// As Alloy prints them; secrets are asterisks.
    package var text: String { DiagnosticText(file).render(diagnostics) }
  }

  /// Reads and checks a whole file, with nothing discovered yet.
  /// - Parameter warnings: what is not wrong enough to stop.
  package init(
    _ file: SourceFile, _ environment: ConfigurationEnvironment, warnings: inout [Diagnostic]
  ) throws(Problems) {
    guard file.bytes.count <= SourceFile.maximumByteCount else {
      throw Problems(
        diagnostics: [Diagnostic(SourceRange(start: 0, end: 0), "file is larger than \(SourceFile.maximumByteCount) bytes")],
        file: SourceFile(name: file.name, bytes: []))
    }
    let (body, syntaxProblems) = Parser.parse(file)
    if !syntaxProblems.isEmpty { throw Problems(diagnostics: syntaxProblems, file: file) }
    library = StandardLibrary(environment)
    var graph = ConfigurationGraph(file, library)
    graph.collect(body)
    graph.connect()
    self.file = file
    components = graph.components
    order = graph.order
    var problems = graph.problems
    // Arguments are checked also when references are wrong: all of a file's errors at once.
    problems += evaluate(unreadable: graph.brokenComponents) { _, _ in [] }.problems
    warnings += problems.filter { $0.severity == .warning }
    problems.removeAll { $0.severity == .warning }
    if !problems.isEmpty { throw Problems(diagnostics: Self.inOrder(problems), file: file) }
  }

  private static func inOrder(_ problems: [Diagnostic]) -> [Diagnostic] {
    var seen: Set<Diagnostic> = []
    return problems.sorted { ($0.range.start, $0.message) < ($1.range.start, $1.message) }.filter { seen.insert($0).inserted }
  }

  /// What a configuration comes to once its sources have said what they found.
  package struct Evaluation: Sendable {
    package struct Result: Sendable {
      package let arguments: DecodedBlock
      /// What it gives to others: a source's targets, a relabelling's output.
      package let targets: [LabelSet]
    }
    /// By the component's id.
    package internal(set) var results: [String: Result] = [:]
    package internal(set) var problems: [Diagnostic] = []
  }

  /// Evaluates every component after those it refers to.
  /// - Parameter discover: what a source finds by its arguments.
  package func evaluate(discover: (Component, DecodedBlock) -> [LabelSet]) -> Evaluation {
    evaluate(unreadable: [], discover: discover)
  }

  private func evaluate(unreadable: Set<Int>, discover: (Component, DecodedBlock) -> [LabelSet]) -> Evaluation {
    var evaluation = Evaluation()
    var evaluator = Evaluator(file: file, library: library)
    // Whoever refers to one that cannot be read is checked against what it would have given.
    for component in components { evaluator.exports[component.id] = Self.exports(of: component, targets: [], rules: []) }
    for index in order {
      let component = components[index]
      var reader = BlockReader(evaluator)
      let arguments = reader.read(component.block.body, by: component.kind.schema, head: component.block.headRange)
      // A component with a reference to nothing has been blamed for that.
      evaluation.problems += unreadable.contains(index) ? reader.problems.filter { !Self.isAboutName($0) } : reader.problems
      guard reader.problems.allSatisfy({ $0.severity == .warning }) else { continue }
      var targets: [LabelSet] = []
      var rules: [RelabelRule] = []
      switch component.kind.role {
      case .discovery: targets = discover(component, arguments)
      case .relabel:
        rules = arguments.relabelRules
        var relabeler = Relabeler(rules)
        targets = relabeler.keep(arguments.targets("targets"))
      case .receiver, .profiler: break
      }
      evaluator.exports[component.id] = Self.exports(of: component, targets: targets, rules: rules)
      evaluation.results[component.id] = Evaluation.Result(arguments: arguments, targets: targets)
    }
    return evaluation
  }

  private static func isAboutName(_ problem: Diagnostic) -> Bool {
    problem.message.hasSuffix("does not exist") && problem.message.hasPrefix("identifier ")
  }

  private static func exports(of component: Component, targets: [LabelSet], rules: [RelabelRule]) -> [String: AlloyValue] {
    let values = AlloyValue.array(
      targets.map { .object(Dictionary($0.labels.map { ($0.name, .string($0.value)) }) { $1 }) })
    return switch component.kind.role {
    case .discovery: ["targets": values]
    case .relabel: ["output": values, "rules": .rules(rules)]
    case .receiver: ["receiver": .receiver(component.id)]
    case .profiler: [:]
    }
  }
}
