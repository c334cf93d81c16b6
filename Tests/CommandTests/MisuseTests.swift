import TestSupport
import Testing

/// Arguments that make no sense: status 64, said on standard error, nothing on standard output.
@Suite struct MisuseTests {
  static let lines: [[String]] = [
    ["nosuchcommand"],
    ["record", "--nosuchflag"],
    ["record", "-d", "soon", "--", "true"],
    ["record", "-d", "-5s", "--", "true"],
    ["record", "-d", "10parsecs", "--", "true"],
    ["record", "-F", "0", "--", "true"],
    ["record", "-F", "-1", "--", "true"],
    ["record", "-F", "often", "--", "true"],
    ["record", "-p", "no-number"],
    ["record", "--images", "some", "--", "true"],
    ["convert", "-f", "nosuchformat"],
    ["convert", "--demangle", "somewhat"],
    ["upload", "--label", "no-equals-sign"],
    ["inspect", "--format", "xml"],
    ["extract", "trace.seg"],
  ]

  @Test(arguments: lines) func `misuse is status 64 and a message`(arguments: [String]) throws {
    let scratch = try ScratchDirectory()
    let outcome = try Command.run([Command.pyrorec] + arguments, directory: scratch.path)
    #expect(outcome.status == 64, "\(arguments): \(outcome)")
    #expect(!outcome.messages.isEmpty && outcome.output.isEmpty, "\(arguments): \(outcome)")
  }

  @Test(arguments: lines.filter { $0.count > 1 && $0[0] != "extract" })
  func `the message repeats the argument that was wrong`(arguments: [String]) throws {
    let scratch = try ScratchDirectory()
    let outcome = try Command.run([Command.pyrorec] + arguments, directory: scratch.path)
    let wrong = arguments.drop { $0 != "--" }.isEmpty ? arguments[arguments.count - 1] : arguments[arguments.count - 3]
    #expect(outcome.messages.contains(wrong), "\(arguments): \(outcome)")
  }
}
