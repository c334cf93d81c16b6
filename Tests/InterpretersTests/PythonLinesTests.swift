import Interpreters
import Testing

@Suite struct PythonLinesTests {
  @Test("an instruction before the first one has the line its code begins at", arguments: PythonLineFormat.allCases)
  func beforeTheFirst(_ format: PythonLineFormat) {
    #expect(format.line(of: 0, in: [], first: 7) == 7)
  }
}
