import Symbolize
import Testing

@Suite struct MissReasonTests {
  @Test func `raw values, which traces hold, stay as they are`() {
    #expect(MissReason.allCases.map(\.rawValue) == Array(1...12))
    #expect(MissReason.noImageCopy.rawValue == 1)
    #expect(MissReason.debugFileMismatch.rawValue == 10)
  }

  @Test(arguments: MissReason.allCases)
  func `every reason has a word for keys and says what to do`(reason: MissReason) {
    #expect(reason.name.allSatisfy { $0.isLowercase || $0 == "_" })
    #expect(MissReason.allCases.filter { $0.name == reason.name }.count == 1)
    #expect(reason.advice.count > 20)
    #expect(!reason.advice.hasSuffix("."))
  }
}
