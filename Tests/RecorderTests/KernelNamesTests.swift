import Testing
import TraceFormat

@testable import Recorder

struct KernelNamesTests {
  private func symbol(_ text: String, at address: UInt64 = 0xffff_ffff_8100_001c) -> KernelSymbolsRecord.Symbol? {
    KernelNames.symbol(Array(text.utf8), address: address)
  }

  @Test func `the kernel's answer gives a symbol its start, length and module`() {
    #expect(
      symbol("do_work+0x1c/0x40")
        == KernelSymbolsRecord.Symbol(address: 0xffff_ffff_8100_0000, byteCount: 0x40, name: "do_work", module: ""))
    #expect(
      symbol("ext4_read.cold+0xc/0x20 [ext4]")
        == KernelSymbolsRecord.Symbol(address: 0xffff_ffff_8100_0010, byteCount: 0x20, name: "ext4_read.cold", module: "ext4"))
  }

  @Test(arguments: ["", "0xffffffff8100001c", "+0x1/0x2", "do_work", "do_work+0x1c", "do_work+1c/40", "do_work+0x1c/0xzz [", "[]"])
  func `an answer of another shape is no symbol`(text: String) {
    #expect(symbol(text) == nil)
  }

  @Test func `an offset beyond the address is no symbol`() {
    #expect(symbol("do_work+0x1c/0x40", at: 0x10) == nil)
  }
}
