import Base
import Glibc
import ObjectFile
import TestSupport
import Testing
import Unwind

/// Files that are compiled for the test, for both machines, as linkers of ours and others make them.
@Suite struct CompiledFileTests {
  private static let source = """
    void sink(void *, long); int more(int);
    int leaf(int a) { return a * 3; }
    int framed(int a) { char b[100]; sink(b, a); return more(a) + b[3]; }
    int large(int a) { char b[200000]; sink(b, a); return b[a]; }
    int variable(int a) { char *b = __builtin_alloca(a); sink(b, a); return b[a / 2]; }
    int aligned(int a) { char b[64] __attribute__((aligned(64))); sink(b, a); char *c = __builtin_alloca(a); sink(c, a); return b[1]; }
    int early(int a) { if (a < 5) return a; char b[40]; sink(b, more(a)); return more(b[2]) + more(a); }
    __attribute__((noreturn)) void never(int a) { for (;;) more(a); }
    """

  @Test(
    "every row of a compiled file is what readelf says, with frame pointers and without",
    arguments: ["x86_64", "aarch64"], ["-fomit-frame-pointer", "-fno-omit-frame-pointer"])
  func compiled(machine: String, framePointers: String) throws {
    guard try Command.run(["sh", "-c", "command -v clang ld.lld readelf"]).status == 0 else {
      return print("skipped: no clang, ld.lld or readelf")
    }
    let scratch = try ScratchDirectory()
    try scratch.write(Array(Self.source.utf8), to: "made.c")
    let path = scratch.path + "/made.so"
    let built = try Command.run([
      "clang", "--target=\(machine)-linux-gnu", "-O2", "-fPIC", "-shared", "-nostdlib", "-fuse-ld=lld", framePointers,
      "-mllvm", "-enable-machine-outliner=never", scratch.path + "/made.c", "-o", path,
    ])
    guard built.status == 0 else { return print("skipped: clang makes nothing for \(machine): \(built.messages.prefix(200))") }
    #expect(try ReadelfTests.differences(of: path).isEmpty)

    // lld writes no call frames for its stubs.
    let file = try MappedFile(path: path)
    let table = try UnwindTableBuilder.build(file.bytes)
    let elf = try ElfFile(file.bytes)
    let stubs = PLTStubs.stubs(of: elf)
    #expect(stubs.count == 2)
    for stub in stubs {
      let number = table.rule(at: stub.address)
      #expect(number == RuleNumber.plt11 || table.rule(numbered: number)?.raRegister == 3)
    }
  }

  @Test("this system's vDSO has rules, and they are what readelf says")
  func vdso() throws {
    let maps = String(decoding: try contents(of: "/proc/self/maps", limit: 1 << 24), as: UTF8.self)
    guard let line = maps.split(separator: "\n").first(where: { $0.hasSuffix("[vdso]") }) else { return print("skipped: no vDSO") }
    let ends = line.prefix { $0 != " " }.split(separator: "-").map { UInt64($0, radix: 16) ?? 0 }
    let memory = try OwnedDescriptor(open: "/proc/self/mem", O_RDONLY)
    let bytes = try memory.read(at: ends[0], count: Int(ends[1] - ends[0]), path: "/proc/self/mem")
    let table = try UnwindTableBuilder.build(bytes.borrowedBytes)
    #expect(!table.rows.isEmpty)
    guard try Command.run(["sh", "-c", "command -v readelf"]).status == 0, table.machine == .x86_64 else { return }
    let scratch = try ScratchDirectory()
    let path = try scratch.write(bytes, to: "vdso.so")
    #expect(try ReadelfTests.differences(of: path).isEmpty)
  }
}
