import TestSupport
import Testing

/// Every command there is; what each takes is its own file's to test.
let commands = ["record", "symbolize", "label", "convert", "upload", "replay", "inspect", "verify", "extract"]

@Suite struct HelpTests {
  @Test func `help names every command`() throws {
    let outcome = try Command.pyrorec("--help")
    #expect(outcome.status == 0, "\(outcome)")
    let absent = commands.filter { !outcome.output.contains("  \($0) ") }
    #expect(absent.isEmpty, "\(outcome)")
    #expect(outcome.messages.isEmpty, "\(outcome)")
  }

  @Test(arguments: commands) func `the help of each command shows how it is used`(command: String) throws {
    let outcome = try Command.pyrorec(command, "--help")
    #expect(outcome.status == 0, "\(outcome)")
    // A line of its own that could be typed as it stands; the USAGE line has brackets.
    let examples = outcome.output.split(separator: "\n").filter { line in
      line.contains("pyrorec \(command)") && !line.hasPrefix("USAGE")
    }
    #expect(!examples.isEmpty, "no example: \(outcome)")
  }

  @Test(arguments: commands) func `quiet and verbose exist on every command`(command: String) throws {
    let outcome = try Command.pyrorec(command, "--help")
    let absent = ["--quiet", "--verbose"].filter { !outcome.output.contains($0) }
    #expect(absent.isEmpty, "\(outcome)")
  }

  @Test func `the version is one line on standard output`() throws {
    let outcome = try Command.pyrorec("--version")
    #expect(outcome.status == 0, "\(outcome)")
    #expect(outcome.output.split(separator: "\n").count == 1, "\(outcome)")
  }

  @Test(arguments: ["bash", "zsh", "fish"]) func `a completion script is made from the same definitions`(shell: String) throws {
    let outcome = try Command.pyrorec("--generate-completion-script", shell)
    #expect(outcome.status == 0, "\(outcome)")
    let absent = commands.filter { !outcome.output.contains($0) }
    #expect(absent.isEmpty)
  }
}
