import Base

/// How a version of CPython writes which instruction belongs to which line. Raw values are written into traces and never change.
package enum PythonLineFormat: UInt8, Hashable, Sendable, CaseIterable {
  /// 3.6 to 3.9, `co_lnotab`: pairs of bytes (instruction bytes, signed lines), Objects/lnotab_notes.txt.
  case signedPairs = 1
  /// 3.10, `co_linetable`: pairs of bytes, -128 lines for none (PEP 626).
  case pairs = 2
  /// From 3.11 on, `co_linetable`: entries of variable length (Objects/locations.md, InternalDocs/code_objects.md).
  case locations = 3

  /// The line of an instruction.
  ///
  /// - Parameters:
  ///   - unit: the instruction's number in units of two bytes, plus one; 0 before the first.
  ///   - first: the line the code begins at.
  /// - Returns: `nil` where the table says that there is none, or ends before.
  package func line(of unit: UInt32, in table: [UInt8], first: UInt32) -> UInt32? {
    guard unit > 0 else { return first }
    let offset = (Int64(unit) - 1) * 2
    switch self {
    case .signedPairs: return Self.signedPairs(offset, table, first)
    case .pairs: return Self.pairs(offset, table, first)
    case .locations: return Self.locations(offset, table, first)
    }
  }

  private static func checked(_ line: Int64) -> UInt32? { line > 0 ? UInt32(exactly: line) : nil }

  private static func signedPairs(_ offset: Int64, _ table: [UInt8], _ first: UInt32) -> UInt32? {
    var line = Int64(first)
    var address: Int64 = 0
    var index = 0
    while index + 1 < table.count {
      address += Int64(table[index])
      if address > offset { break }
      line += Int64(Int8(bitPattern: table[index + 1]))
      index += 2
    }
    return checked(line)
  }

  private static func pairs(_ offset: Int64, _ table: [UInt8], _ first: UInt32) -> UInt32? {
    var line = Int64(first)
    var end: Int64 = 0
    var index = 0
    while index + 1 < table.count {
      let delta = Int8(bitPattern: table[index + 1])
      end += Int64(table[index])
      if delta != -128 { line += Int64(delta) }
      if offset < end { return delta == -128 ? nil : checked(line) }
      index += 2
    }
    return nil
  }

  private static func locations(_ offset: Int64, _ table: [UInt8], _ first: UInt32) -> UInt32? {
    var line = Int64(first)
    var end: Int64 = 0
    var cursor = ByteCursor(table.borrowedBytes)
    do throws(MalformedInput) {
      while cursor.remaining > 0 {
        let head: UInt8 = try cursor.read("location")
        let code = head >> 3 & 15
        end += (Int64(head & 7) + 1) * 2
        switch code {
        case 0...9: try cursor.skip(1, "columns")
        case 10...12:
          line += Int64(code) - 10
          try cursor.skip(2, "columns")
        case 13: line += try signed(&cursor)
        case 14:
          line += try signed(&cursor)
          for _ in 0..<3 { _ = try number(&cursor) }
        default: break
        }
        if offset < end { return code == 15 ? nil : checked(line) }
      }
    } catch {
      return nil
    }
    return nil
  }

  /// Six bits a byte, the least significant first; bit 6: more follow.
  private static func number(_ cursor: inout ByteCursor) throws(MalformedInput) -> UInt32 {
    var value: UInt32 = 0
    var shift: UInt32 = 0
    while true {
      let byte: UInt8 = try cursor.read("varint")
      value |= UInt32(byte & 63) << shift
      shift += 6
      if byte & 64 == 0 || shift > 30 { return value }
    }
  }

  private static func signed(_ cursor: inout ByteCursor) throws(MalformedInput) -> Int64 {
    let value = try number(&cursor)
    return value & 1 == 1 ? -Int64(value >> 1) : Int64(value >> 1)
  }
}
