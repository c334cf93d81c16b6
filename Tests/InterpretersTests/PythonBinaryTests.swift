import Base
import CRecorderABI
import Glibc
import ObjectFile
import Testing

@testable import Interpreters

/// On the Pythons that are installed here, whichever those are.
@Suite struct PythonBinaryTests {
  static let installed: [String] = {
    var paths = (6...15).flatMap { minor in
      ["/usr/bin/python3.\(minor)", "/usr/local/bin/python3.\(minor)"]
        + ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu"].map { "\($0)/libpython3.\(minor).so.1.0" }
    }
    let home = unsafe getenv("HOME").map { unsafe String(cString: $0) } ?? "/root"
    for minor in 6...15 {
      for patch in 0...20 {
        for suffix in ["", "m"] { paths.append("\(home)/.pyenv/versions/3.\(minor).\(patch)/lib/libpython3.\(minor)\(suffix).so.1.0") }
      }
    }
    return paths.filter { access($0, R_OK) == 0 }
  }()

  @Test(
    "an installed Python is recognised, with its version, its evaluation function and a layout",
    .enabled(if: !installed.isEmpty, "no Python is installed"), arguments: installed)
  func recognised(_ path: String) throws {
    let file = try MappedFile(path: path)
    let elf = try ElfFile(file.bytes)
    let found = PythonBinary(elf, path: path)
    // Debian's python3.N may be a small program beside its library.
    guard elf.dynamicSymbol(named: "_PyEval_EvalFrameDefault") != nil else { return }
    let python = try #require(found)
    #expect(python.version == PythonVersion(fileName: path))
    #expect(python.evaluation.reduce(0) { $0 + $1.byteCount } > 8192)
    #expect(python.codeType != nil)
    let process = try PythonProcess(python, bias: 0x1000)
    #expect(process.layout.version == python.version)
    #expect(process.unwinding.begin.0 == python.evaluation[0].start.rawValue + 0x1000)
  }

  @Test(
    "the parts of the evaluation function that symbols name are found without symbols, and nothing else",
    .enabled(if: !installed.isEmpty, "no Python is installed"), arguments: installed)
  func parts(_ path: String) throws {
    #if arch(x86_64)
      let file = try MappedFile(path: path)
      let elf = try ElfFile(file.bytes)
      guard let symbol = elf.dynamicSymbol(named: "_PyEval_EvalFrameDefault") else { return }
      // One of a few bytes is what no path leads to.
      let named = elf.symbols(withPrefix: "_PyEval_EvalFrameDefault.cold").filter { $0.byteCount >= 16 }
      guard elf.symbolTable != nil else { return }
      let start = ImageAddress(symbol.value)
      let end = try #require(start.adding(symbol.byteCount))
      let range = try #require(AddressRange(start: start, end: end))
      let found = FunctionParts.elsewhere(range, elf, limit: 3)
      #expect(found.map(\.start.rawValue).sorted() == named.map(\.value).sorted())
    #endif
  }

  @Test("a file without Python is not taken for one")
  func others() throws {
    for path in ["/usr/lib/x86_64-linux-gnu/libc.so.6", "/bin/sh"] where access(path, R_OK) == 0 {
      let file = try MappedFile(path: path)
      let elf = try ElfFile(file.bytes)
      let found = PythonBinary(elf, path: "/usr/bin/python3.11")
      #expect(found == nil)
    }
  }
}
