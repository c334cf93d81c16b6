import Base
import ObjectFile
import Testing
import Unwind

@Suite struct UnwindTableTests {
  @Test("what is no ELF file has no table, and the error says why")
  func notELF() {
    let bytes: [UInt8] = [0x23, 0x21, 0x2f]
    let error = #expect(throws: UnwindError.self) { try UnwindTableBuilder.build(bytes.borrowedBytes) }
    #expect(error?.description.contains("no unwind table") == true)
  }
}
