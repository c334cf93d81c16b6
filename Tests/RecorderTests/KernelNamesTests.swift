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

  @Test func `behind the kernel's text BPF programs are code, and what has no module besides is not`() {
    let text: (start: UInt64, end: UInt64) = (0xffff_ffff_8100_0000, 0xffff_ffff_8200_0000)
    func code(_ name: String, _ address: UInt64, _ module: String = "") -> String? {
      let symbol = KernelSymbolsRecord.Symbol(address: address, byteCount: 16, name: name, module: module)
      return KernelNames.code(symbol, text: text).map { $0.name + " [" + $0.module + "]" }
    }
    #expect(code("bpf_prog_load", 0xffff_ffff_8100_0010) == "bpf_prog_load []")
    #expect(code("bpf_prog_9eaf621d326c8419_on_names", 0xffff_ffff_c002_5c18) == "bpf_prog_9eaf621d326c8419_on_names [bpf]")
    #expect(code("bpf_trampoline_6442536467", 0xffff_8000_7fff_0000) == "bpf_trampoline_6442536467 [bpf]")
    #expect(code("init_task", 0xffff_ffff_8300_0000) == nil)
    #expect(code("ext4_read", 0xffff_ffff_c010_0000, "ext4") == "ext4_read [ext4]")
  }
}
