import Base
import Glibc
import ObjectFile
import TestSupport
import Testing
import Unwind

/// Tables of this system's own files say at every address what readelf says.
@Suite struct ReadelfTests {
  /// Compilers' output, hand-written assembly, C++ and Go; more in `PYROREC_UNWIND_FILES`, with colons between.
  static let files =
    [
      "/lib/x86_64-linux-gnu/libc.so.6", "/lib/x86_64-linux-gnu/libcrypto.so.3", "/lib64/ld-linux-x86-64.so.2",
      "/usr/lib/x86_64-linux-gnu/libstdc++.so.6", "/usr/lib/x86_64-linux-gnu/libperl.so.5.36", "/usr/bin/perl",
    ] + (Command.environmentValue("PYROREC_UNWIND_FILES") ?? "").split(separator: ":").map(String.init)

  @Test("at both ends of every row the table says what readelf says", arguments: files)
  func sameAsReadelf(path: String) throws {
    guard access(path, R_OK) == 0 else { return print("skipped: no \(path)") }
    guard try Command.run(["sh", "-c", "command -v readelf"]).status == 0 else { return print("skipped: no readelf") }
    let differences = try Self.differences(of: path)
    #expect(differences.count == 0, "\(differences.prefix(10))")
  }

  /// Where the table of a file says something else than readelf.
  static func differences(of path: String) throws -> [String] {
    let file = try MappedFile(path: path)
    let table = try UnwindTableBuilder.build(file.bytes)
    let names = table.machine == .aarch64 ? Names.aarch64 : Names.x86_64
    let dump = try FrameDump(of: path, framePointer: names.framePointer)
    let elf = try ElfFile(file.bytes)
    let stubs = elf.sections.indices.filter { elf.sectionName($0).text().hasPrefix(".plt") }.map { elf.sections[$0] }
    func isStub(_ address: UInt64) -> Bool {
      stubs.contains { $0.address.rawValue <= address && address - $0.address.rawValue < $0.byteCount }
    }
    var differences = dump.rows.count > 5 ? [] : ["readelf knows of \(dump.rows.count) rows"]
    for (index, row) in dump.rows.enumerated() {
      for address in [row.start, row.end - 1] {
        let number = table.rule(at: ImageAddress(address))
        if let why = Self.difference(row, number, table, names) {
          differences.append("\(String(address, radix: 16)): \(why); readelf: \(row)")
        }
      }
      let next = index + 1 < dump.rows.count ? dump.rows[index + 1].start : .max
      if next > row.end, next - row.end > 16 {
        // Other sources may know of code that has no call frames.
        let number = table.rule(at: ImageAddress(row.end + 16))
        if number >= RuleNumber.first, !isStub(row.end + 16) {
          differences.append("\(String(row.end, radix: 16)): rule \(number) in a gap")
        }
      }
    }
    return differences
  }

  struct Names {
    var stackPointer: String
    var framePointer: String
    /// Where the return address is without a rule of its own.
    var link: UInt8
    static let x86_64 = Self(stackPointer: "rsp", framePointer: "rbp", link: 0)
    static let aarch64 = Self(stackPointer: "sp", framePointer: "x29", link: 3)
  }

  private static func difference(_ row: FrameDump.Row, _ number: UInt16, _ table: UnwindTable, _ names: Names) -> String? {
    if row.isSignalFrame { return number == RuleNumber.signal ? nil : "not a signal frame" }
    if row.returnAddress == "u", names.link == 0 || number < RuleNumber.first {
      return number == RuleNumber.stop ? nil : "not an outermost frame"
    }
    if number == RuleNumber.stop { return "an outermost frame" }
    if number == RuleNumber.unsupported { return "not supported" }
    if number == RuleNumber.plt10 || number == RuleNumber.plt11 { return row.cfa == "exp" ? nil : "a PLT stub" }
    guard let rule = table.rule(numbered: number) else { return "number \(number)" }
    let offset = rule.cfaOffset < 0 ? "\(rule.cfaOffset)" : "+\(rule.cfaOffset)"
    let base =
      switch rule.cfaRegister {
      case 1: names.stackPointer
      case 2: names.framePointer
      default: row.cfa.prefix { $0 != "+" && $0 != "-" }.description
      }
    if rule.cfaKind == 0, base + offset != row.cfa, row.cfa != "exp", !row.isJump { return "CFA \(base)\(offset)" }
    if rule.cfaKind != 0, row.cfa != "exp" { return "CFA by an expression" }
    if let why = difference(row.returnAddress ?? "u", rule.raKind, rule.raOffset) { return "return address \(why)" }
    if rule.raKind == 2, rule.raRegister == 3, !["u", "s"].contains(row.returnAddress ?? "u") { return "return address in lr" }
    let isGone = row.framePointer?.hasPrefix("c-") == true && rule.fpKind == 0 && rule.cfaRegister == 1 && rule.cfaOffset < 128
    if !isGone, let why = difference(row.framePointer ?? "u", rule.fpKind, rule.fpOffset) { return "frame pointer \(why)" }
    return nil
  }

  private static func difference(_ said: String, _ kind: UInt8, _ offset: Int32) -> String? {
    switch said {
    case "u", "s": kind == 0 || kind == 4 || kind == 2 ? nil : "kind \(kind)"
    case "exp", "vexp": kind == 3 || kind == 4 ? nil : "kind \(kind)"
    default:
      if said.hasPrefix("c") {
        kind == 1 && said == "c\(offset < 0 ? "" : "+")\(offset)" ? nil : "kind \(kind) at \(offset)"
      } else {
        kind == 2 || kind == 4 ? nil : "kind \(kind)"
      }
    }
  }
}

extension ReadelfTests {
  private static let goProgram = """
    package main
    import ("fmt"; "os"; "sort")
    func fib(n int) int { if n < 2 { return n }; return fib(n-1) + fib(n-2) }
    func main() {
      x := []int{3, 1, 2}
      sort.Slice(x, func(a, b int) bool { return x[a] < x[b] })
      fmt.Fprintln(os.Stderr, x, fib(20))
    }
    """

  @Test("the table of a Go program says what its debug information says, and where the frame pointer is")
  func goProgram() throws {
    guard try Command.run(["sh", "-c", "command -v go readelf"]).status == 0 else { return print("skipped: no go or readelf") }
    let scratch = try ScratchDirectory()
    try scratch.write(Array(Self.goProgram.utf8), to: "main.go")
    let environment = ["GOCACHE": scratch.path + "/cache", "GOFLAGS": "-mod=mod", "CGO_ENABLED": "0"]
    let built = try Command.run(
      ["go", "build", "-o", scratch.path + "/main", scratch.path + "/main.go"], environment: environment,
      limit: .seconds(300))
    try #require(built.status == 0, "\(built)")
    let file = try MappedFile(path: scratch.path + "/main")
    let table = try UnwindTableBuilder.build(file.bytes)
    let dump = try FrameDump(of: scratch.path + "/main", framePointer: "rbp")
    var differences: [String] = []
    var framePointers = 0
    for row in dump.rows {
      for address in [row.start, row.end - 1] {
        let number = table.rule(at: ImageAddress(address))
        guard let rule = table.rule(numbered: number) else {
          // Stack switches, the ends of stacks and signal trampolines.
          if number == RuleNumber.none || number == RuleNumber.unsupported { differences.append("\(address): rule \(number)") }
          continue
        }
        if rule.fpKind == 1 { framePointers += 1 }
        if "rsp+\(rule.cfaOffset)" != row.cfa { differences.append("\(String(address, radix: 16)): \(rule), readelf \(row)") }
      }
    }
    #expect(differences.count == 0, "\(differences.prefix(10))")
    #expect(dump.rows.count > 5_000)
    #expect(framePointers > dump.rows.count / 4)
  }
}
