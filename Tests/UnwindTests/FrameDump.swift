import Glibc
import TestSupport

/// readelf found no call frames, or could not read the file.
struct NothingPrinted: Error { let path: String }

/// What `readelf --debug-dump=frames-interp` says of a file, row by row: the peer the tables are compared with.
struct FrameDump {
  struct Row {
    var start: UInt64
    var end: UInt64
    /// `rsp+8`, or `exp` for an expression.
    var cfa: String
    /// The columns of the return address and the frame pointer: `c-8`, `u`, `s`, `exp`, a register; `nil` without a column.
    var returnAddress: String?
    var framePointer: String?
    var isSignalFrame: Bool
    /// The caller's stack pointer is in another register than the CFA's.
    var isJump = false
  }
  /// By address; where two functions claim a place, the one that begins later has it.
  private(set) var rows: [Row] = []

  /// - Parameter framePointer: the column's name, `rbp` or `x29`.
  init(of path: String, framePointer: String) throws {
    let outcome = try Command.run(["readelf", "--debug-dump=frames-interp", path], limit: .seconds(300))
    guard !outcome.standardOutput.isEmpty else { throw NothingPrinted(path: path) }
    parse(outcome.standardOutput, framePointer)
    rows.sort { $0.start < $1.start }
    for index in rows.indices.dropLast() where rows[index].end > rows[index + 1].start { rows[index].end = rows[index + 1].start }
    rows.removeAll { $0.start >= $0.end }
  }

  private mutating func parse(_ text: [UInt8], _ framePointer: String) {
    var commons: [String: (signal: Bool, row: Row?)] = [:]
    var columns: [String] = []
    var range: Range<UInt64>?
    var commonName = ""
    var isSignal = false
    var first = rows.count
    func number(_ text: Substring) -> UInt64 { UInt64(text, radix: 16) ?? 0 }

    func finish(_ rows: inout [Row]) {
      guard let range else { return }
      if rows.count == first, var row = commons[commonName]?.row {
        row.start = range.lowerBound
        rows.append(row)
      }
      for index in first..<rows.count {
        rows[index].end = index + 1 < rows.count ? rows[index + 1].start : range.upperBound
        rows[index].isSignalFrame = isSignal
      }
    }
    for line in text.split(separator: UInt8(ascii: "\n")) {
      let words = String(decoding: line, as: UTF8.self).split(separator: " ")
        // `r5 (rdi)` is one column.
        .filter { !$0.hasPrefix("(") }
      guard let head = words.first else { continue }
      if words.contains("CIE") {
        finish(&rows)
        range = nil
        commonName = String(head)
        commons[commonName] = (words.contains { $0.hasPrefix("\"") && $0.contains("S") }, nil)
      } else if words.count >= 6, words[3] == "FDE" {
        finish(&rows)
        first = rows.count
        commonName = String(words[4].dropFirst(4))
        isSignal = commons[commonName]?.signal ?? false
        let ends = words[5].dropFirst(3).split(separator: ".")
        range = ends.count == 2 && number(ends[0]) < number(ends[1]) ? number(ends[0])..<number(ends[1]) : nil
      } else if head == "LOC" {
        columns = words.map(String.init)
      } else if head.count == 16, words.count == columns.count, head.allSatisfy(\.isHexDigit) {
        func column(_ name: String) -> String? { columns.firstIndex(of: name).map { String(words[$0]) } }
        let row = Row(
          start: number(head), end: 0, cfa: String(words[1]), returnAddress: column("ra"), framePointer: column(framePointer),
          isSignalFrame: false, isJump: column("rsp") ?? "u" != "u")
        if let range {
          if row.start < range.upperBound { rows.append(row) }
        } else {
          commons[commonName]?.row = row
        }
      }
    }
    finish(&rows)
  }
}
