import Symbolize
import Testing

@Suite struct KernelSymbolTableTests {
  static let table = KernelSymbolTable([
    .init(address: 0xffff_8000, byteCount: 0x10, name: "ext4_read", module: "ext4"),
    .init(address: 0xffff_1000, byteCount: 0x20, name: "do_syscall_64", module: ""),
    .init(address: 0xffff_1020, byteCount: 0, name: "sizeless", module: ""),
    .init(address: 0xffff_1000, byteCount: 0x20, name: "__do_syscall_64", module: ""),
  ])

  @Test func `an address belongs to the function that covers it`() {
    #expect(Self.table.symbol(at: 0xffff_0fff) == nil)
    #expect(Self.table.symbol(at: 0xffff_1000)?.name == "do_syscall_64")
    #expect(Self.table.symbol(at: 0xffff_101f)?.name == "do_syscall_64")
    #expect(Self.table.symbol(at: 0xffff_800f)?.module == "ext4")
    #expect(Self.table.symbol(at: 0xffff_8010) == nil)
  }

  @Test func `a symbol without a size reaches up to the next one, and not for ever`() {
    #expect(Self.table.symbol(at: 0xffff_7fff)?.name == "sizeless")
    let last = KernelSymbolTable([.init(address: 0x1000, byteCount: 0, name: "last", module: "")])
    #expect(last.symbol(at: 0x1000)?.name == "last")
    #expect(last.symbol(at: .max) == nil)
    #expect(KernelSymbolTable([]).symbol(at: 0) == nil)
  }
}
