// Builds unwind tables and says how long it took (user and system time of this process), or what stands in them.
//
//   unwind-tables FILE…              rows, rules, bytes and the time of the fastest of 5 builds
//   unwind-tables --workers N FILE…  the same with N threads
//   unwind-tables --rows FILE        every row: address and rule
import Base
import Glibc
import Unwind

func cpuSeconds() -> Double {
  var usage = rusage()
  getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
  func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
  return seconds(usage.ru_utime) + seconds(usage.ru_stime)
}

func describe(_ table: UnwindTable, _ number: UInt16) -> String {
  guard let rule = table.rule(numbered: number) else {
    let names = ["none", "stop", "plt11", "plt10", "signal", "frame-pointer", "unsupported"]
    return Int(number) < names.count ? names[Int(number)] : "rule \(number)"
  }
  let registers = ["-", "sp", "fp", "lr"]
  func name(_ register: UInt8) -> String { register < 4 ? registers[Int(register)] : "r\(register - 16)" }
  func value(_ kind: UInt8, _ register: UInt8, _ offset: Int32) -> String {
    switch kind {
    case 0: "same"
    case 1: "c\(offset < 0 ? "" : "+")\(offset)"
    case 2: name(register)
    case 3: "*(\(name(register))\(offset < 0 ? "" : "+")\(offset))"
    default: "u"
    }
  }
  let base = "\(name(rule.cfaRegister))\(rule.cfaOffset < 0 ? "" : "+")\(rule.cfaOffset)"
  let cfa = rule.cfaKind == 0 ? base : "*(\(base))+\(rule.cfaAdd)"
  return "cfa=\(cfa) ra=\(value(rule.raKind, rule.raRegister, rule.raOffset)) fp=\(value(rule.fpKind, rule.fpRegister, rule.fpOffset))"
}

var arguments = Array(CommandLine.arguments.dropFirst())
var options = UnwindTableBuilder.Options()
var showsRows = false
while let first = arguments.first, first.hasPrefix("--") {
  arguments.removeFirst()
  if first == "--rows" { showsRows = true }
  if first == "--workers" { options.workers = Int(arguments.removeFirst()) ?? 1 }
}
for path in arguments {
  do {
    let file = try MappedFile(path: path)
    if showsRows {
      let table = try UnwindTableBuilder.build(file.bytes, options)
      var text = ""
      for index in 0..<max(table.pageStarts.count - 1, 0) {
        for row in table.rows[Int(table.pageStarts[index])..<Int(table.pageStarts[index + 1])] {
          let address = UnwindTable.address(low: row, page: table.firstPage + UInt64(index))
          text += "\(String(address, radix: 16)) \(describe(table, UnwindTable.rule(of: row)))\n"
        }
      }
      print(text, terminator: "")
      continue
    }
    var best = Double.infinity
    var wall = Double.infinity
    var table: UnwindTable?
    for _ in 0..<5 {
      let clock = ContinuousClock.now
      let start = cpuSeconds()
      table = try UnwindTableBuilder.build(file.bytes, options)
      best = min(best, cpuSeconds() - start)
      let spent = clock.duration(to: .now).components
      wall = min(wall, Double(spent.seconds) + Double(spent.attoseconds) / 1e18)
    }
    guard let table else { continue }
    let bytesPerRow = Double(table.byteCount) / Double(max(table.rows.count, 1))
    let speed = Double(table.rows.count) / best / 1e6
    print(
      path.split(separator: "/").last.map(String.init) ?? path, "rows", table.rows.count, "rules", table.rules.count, "pages",
      table.pageStarts.count, "bytes/row", (bytesPerRow * 1000).rounded() / 1000, "ms", (best * 1e5).rounded() / 100, "wall ms",
      (wall * 1e5).rounded() / 100, "Mrows/s", (speed * 100).rounded() / 100)
  } catch {
    print(path, error)
  }
}
