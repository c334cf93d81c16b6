import Testing

@testable import Replayer

struct ReportTextTests {
  @Test func `a share of weights as large as 64 bits go is a percentage and no trap`() {
    #expect(ReplayReport.percentage(1, of: 3) == 33)
    #expect(ReplayReport.percentage(29, of: 100) == 29)
    #expect(ReplayReport.percentage(.max - 1, of: .max) == 99)
    #expect(ReplayReport.percentage(.max, of: 1) == 100)
    #expect(ReplayReport.percentage(5, of: 0) == 0)
  }
}
