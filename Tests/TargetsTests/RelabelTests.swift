import Targets
import Testing

/// One rule of relabelling on one target: what Prometheus' documentation says comes out.
struct RelabelTests {
  @Test(arguments: RelabelCases.all) func `a rule does what Prometheus says it does`(rule: RelabelCase) throws {
    let outcome = try rule.run()
    #expect(outcome == rule.expected, "\(rule)")
  }

  @Test func `the table has every action and enough cases`() {
    #expect(RelabelCases.all.count + RelabelCases.invalid.count >= 150)
    #expect(Set(RelabelCases.all.map(\.fields.action)) == Set(RelabelAction.allCases.map(\.rawValue)))
  }

  @Test(arguments: RelabelCases.invalid) func `a rule that cannot work is refused with the reason`(rule: InvalidRule) {
    let error = #expect(throws: RelabelError.self) { _ = try RelabelRule(rule.fields) }
    #expect(error.map { "\($0)".contains(rule.reason) } == true, "\(rule.fields.action): \(String(describing: error))")
  }

  @Test func `rules run in order and each sees what the one before did`() throws {
    let first = RelabelCase.fields("replace", ["a"], target: "b", replacement: "x-$1")
    let second = RelabelCase.fields("replace", ["b"], regex: "x-(.*)", target: "c", replacement: "${1}!")
    var relabeler = Relabeler([try RelabelRule(first), try RelabelRule(second)])
    #expect(relabeler.apply(to: ["a": "1"]) == .kept(["a": "1", "b": "x-1", "c": "1!"]))
  }

  @Test func `a dropped target says which rule dropped it`() throws {
    var relabeler = Relabeler([
      try RelabelRule(RelabelCase.fields("keep", ["a"], regex: "1")), try RelabelRule(RelabelCase.fields("drop", ["b"], regex: "2")),
    ])
    #expect(relabeler.apply(to: ["a": "0"]) == .dropped(rule: 0))
    #expect(relabeler.apply(to: ["a": "1", "b": "2"]) == .dropped(rule: 1))
    #expect(relabeler.apply(to: ["a": "1", "b": "3"]) == .kept(["a": "1", "b": "3"]))
  }

  @Test func `targets keep their order and equal ones stay apart`() throws {
    var relabeler = Relabeler([try RelabelRule(RelabelCase.fields("labeldrop", regex: "n"))])
    #expect(relabeler.keep([["n": "1", "a": "x"], ["a": "y"], ["n": "2", "a": "x"]]) == [["a": "x"], ["a": "y"], ["a": "x"]])
  }

  @Test func `what was learnt of one target is right for the next`() throws {
    // More distinct values than a rule remembers, each seen again after the others.
    var relabeler = Relabeler([try RelabelRule(RelabelCase.fields("replace", ["a"], regex: "v(\\d+)x?", target: "b"))])
    for _ in 0..<2 {
      for number in 0..<3000 {
        let value = number % 3 == 0 ? "none\(number)" : "v\(number)"
        let expected: LabelSet = number % 3 == 0 ? ["a": value] : ["a": value, "b": "\(number)"]
        #expect(relabeler.apply(to: ["a": value]) == .kept(expected))
      }
    }
  }

  @Test func `two spellings of one character are two values`() throws {
    var relabeler = Relabeler([try RelabelRule(RelabelCase.fields("keep", ["a"], regex: "\u{e9}"))])
    #expect(relabeler.apply(to: ["a": "\u{e9}"]) != .dropped(rule: 0))
    #expect(relabeler.apply(to: ["a": "e\u{301}"]) == .dropped(rule: 0))
  }
}

extension LabelSet: ExpressibleByDictionaryLiteral {
  package init(dictionaryLiteral elements: (String, String)...) {
    self.init(elements.map { Label(name: $0.0, value: $0.1) })
  }
}
