import TestSupport
import Testing

@Suite struct ReplayRefusalTests {
  @Test func `a fixture that is not there is named`() throws {
    let outcome = try Command.pyrorec("replay", "/nonexistent/fixture")
    #expect(outcome.status != 0 && outcome.messages.contains("/nonexistent/fixture"), "\(outcome)")
  }
}
