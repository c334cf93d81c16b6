import Base
import Glibc
import TestSupport
import Testing

/// The Pythons that are there: on the PATH, and pyenv's.
enum InstalledPython {
  static let names = (6...15).map { "python3.\($0)" }

  static let all: [String] = {
    var found: [String] = []
    for name in names {
      if let path = path(of: name) { found.append(path) } else { print("\(name) is not installed: its chains are not tried") }
    }
    return found
  }()

  private static func path(of name: String) -> String? {
    let root = Command.environmentValue("PYENV_ROOT") ?? "\(Command.environmentValue("HOME") ?? "/root")/.pyenv"
    var places = (0...40).map { "\(root)/versions/\(name.dropFirst(6)).\($0)/bin/\(name)" }
    // pyenv's own shims are scripts.
    places += (Command.environmentValue("PATH") ?? "").split(separator: ":").filter { !$0.hasSuffix("shims") }.map { "\($0)/\(name)" }
    return places.first { access($0, X_OK) == 0 }
  }
}

extension KernelTests {
  private static let scripts = "\(Command.repository)/scripts"
  private static let program = "\(Command.repository)/fixtures/programs/python/chains.py"

  @Test(arguments: InstalledPython.all)
  func `samples of a Python program show the chains that it sees from inside, with files and lines`(python: String) throws {
    let scratch = try ScratchDirectory()
    let truth = "\(scratch.path)/truth.json"
    let collapsed = "\(scratch.path)/collapsed"
    let recording = try Recording(of: [python, Self.program, "4", truth], symbolize: false)
    let converted = try Command.pyrorec("convert", recording.trace, "-f", "collapsed", "--lines", "-o", collapsed)
    try #require(converted.status == 0, "\(converted)")
    let compared = try Command.run(
      ["sh", "-c", "exec \"$0\" \"$1\" \"$2\" <\"$3\"", python, "\(Self.scripts)/python-chains", truth, collapsed])
    let numbers = compared.output.split { !$0.isNumber }.prefix(2).compactMap { Int($0) }
    try #require(numbers.count == 2, "\(compared)")
    // Four seconds are 1,996 samples, of which a busy machine gives a part.
    #expect(numbers[0] > 100, "\(compared)")
    #expect(Double(numbers[1]) >= 0.99 * Double(numbers[0]), "\(compared)")
  }

  @Test(.enabled(if: !InstalledPython.all.isEmpty, "no Python is installed"))
  func `without Python's frames the interpreter's own functions are there, and no code was read`() throws {
    let scratch = try ScratchDirectory()
    let recording = try Recording(
      of: [InstalledPython.all[0], Self.program, "1", "\(scratch.path)/truth.json"], options: ["--no-python"], symbolize: false)
    let converted = try Command.pyrorec("convert", recording.trace, "-f", "collapsed", "-o", "-")
    #expect(!converted.output.contains(";main;scenario_") && converted.output.contains("_PyEval_EvalFrameDefault"), "\(converted)")
  }

  @Test(arguments: InstalledPython.all)
  func `code that lies where other code lay is never called by the other's name`(python: String) throws {
    let scratch = try ScratchDirectory()
    let collapsed = "\(scratch.path)/collapsed"
    let program = "\(Command.repository)/fixtures/programs/python/redefine.py"
    let recording = try Recording(of: [python, program, "2", scratch.path], symbolize: false)
    let converted = try Command.pyrorec("convert", recording.trace, "-f", "collapsed", "--lines", "-o", collapsed)
    try #require(converted.status == 0, "\(converted)")
    let judged = try Command.run(["sh", "-c", "exec \"$0\" \"$1\" <\"$2\"", python, "\(Self.scripts)/python-redefined", collapsed])
    #expect(judged.status == 0, "\(judged)")
  }
}
