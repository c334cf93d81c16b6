import Base

/// What a line table says about an address.
struct LineRow {
  /// As the unit's entries count files, too; `noFile` when the table does not have the address.
  var file: UInt32
  /// 0 for code that belongs to no line.
  var line: UInt32
  var column: UInt32

  static let noFile = UInt32.max
  static let none = LineRow(file: noFile, line: 0, column: 0)
}

/// Takes the rows of a line number program, sequence by sequence.
protocol RowSink {
  mutating func begin()
  mutating func add(_ row: LineRow, at address: UInt64)
  mutating func end(at address: UInt64)
}

/// Runs a line number program (DWARF 5, section 6.2) for the addresses that are asked for; no table is built.
enum LineProgram {
  /// The rows of `targets` (ascending), the first that covers one counting; `LineRow.none` for those that none covers.
  static func rows(_ header: LineHeader, _ bytes: RawSpan, _ targets: [UInt64]) -> [LineRow] {
    var search = RowSearch(targets, stepCount: stepCount(header, targets.count))
    run(header, bytes, &search)
    return search.rows
  }

  /// Steps that a run takes at most. Sequences hardly overlap, so that each target is met once or twice.
  static func stepCount(_ header: LineHeader, _ targetCount: Int) -> Int {
    max(0, header.end - header.programStart) + 16 * targetCount
  }

  static func run<Sink: RowSink>(_ header: LineHeader, _ bytes: RawSpan, _ search: inout Sink) {
    var cursor = DwarfCursor(bytes, from: header.programStart, to: header.end)
    let opcodeBase = header.opcodeBase
    let steps = header.steps.span
    while !cursor.isAtEnd {
      var row = LineRow(file: 1, line: 1, column: 0)
      var address: UInt64 = 0
      var operationIndex: UInt64 = 0
      search.begin()
      // One sequence.
      sequence: while !cursor.isAtEnd {
        let opcode = cursor.u8()
        if opcode >= opcodeBase {
          let step = steps[Int(opcode)]
          if header.maximumOperations <= 1 {
            address &+= UInt64(step.address)
          } else {
            advance(header, UInt64(step.operations), &address, &operationIndex)
          }
          row.line = row.line &+ UInt32(bitPattern: Int32(step.line))
          search.add(row, at: address)
          continue
        }
        switch opcode {
        case 1: search.add(row, at: address)  // DW_LNS_copy
        case 2:  // DW_LNS_advance_pc
          advance(header, cursor.uleb(), &address, &operationIndex)
        case 3: row.line = row.line &+ UInt32(truncatingIfNeeded: cursor.sleb())  // DW_LNS_advance_line
        case 4: row.file = UInt32(truncatingIfNeeded: cursor.uleb())  // DW_LNS_set_file
        case 5: row.column = UInt32(truncatingIfNeeded: cursor.uleb())  // DW_LNS_set_column
        case 6, 7, 10, 11: break  // negate_stmt, set_basic_block, set_prologue_end, set_epilogue_begin
        case 8: advance(header, UInt64(steps[255].operations), &address, &operationIndex)  // DW_LNS_const_add_pc
        case 9:  // DW_LNS_fixed_advance_pc
          address &+= UInt64(cursor.u16())
          operationIndex = 0
        case 12: _ = cursor.uleb()  // DW_LNS_set_isa
        case 0:
          let length = cursor.uleb()
          let start = cursor.position
          guard length > 0, length <= UInt64(cursor.remaining) else {
            if length > 0 { cursor.fail() }
            break
          }
          switch cursor.u8() {
          case 1:  // DW_LNE_end_sequence
            search.end(at: address)
            cursor.seek(to: start + Int(length))
            break sequence
          case 2:  // DW_LNE_set_address
            let size = Int(length) - 1
            address = size == 8 || size == 4 || size == 2 ? cursor.number(size: size) : 0
            operationIndex = 0
          default: break
          }
          cursor.seek(to: start + Int(length))
        default:
          // An opcode of a later version: the header says how many operands to go past.
          for _ in 0..<header.operandCounts[Int(opcode)] { _ = cursor.uleb() }
        }
      }
    }
  }

  private static func advance(
    _ header: LineHeader, _ operations: UInt64, _ address: inout UInt64, _ operationIndex: inout UInt64
  ) {
    let length = UInt64(header.minimumInstructionLength)
    guard header.maximumOperations > 1 else {
      address &+= length &* operations
      return
    }
    let count = UInt64(header.maximumOperations)
    let sum = operationIndex &+ operations
    address &+= length &* (sum / count)
    operationIndex = sum % count
  }
}

/// Hands each row to the targets that lie between it and the next one.
private struct RowSearch: RowSink {
  private let targets: [UInt64]
  private(set) var rows: [LineRow]
  private var last = LineRow.none
  private var lastAddress: UInt64 = 0
  private var isOpen = false
  /// The first target at or after `lastAddress`, and its address; the highest address there is when there is none.
  private var next = 0
  private var nextTarget: UInt64 = .max
  /// Targets that may still be met: a program may go over all of them again and again.
  private var fuel: Int

  init(_ targets: [UInt64], stepCount: Int) {
    self.targets = targets
    fuel = stepCount
    rows = [LineRow](repeating: .none, count: targets.count)
  }

  mutating func begin() { isOpen = false }

  @inline(__always) mutating func add(_ row: LineRow, at address: UInt64) {
    if !isOpen || address < lastAddress {
      find(address)
      isOpen = true
    } else if nextTarget < address {
      give(upTo: address)
    }
    last = row
    lastAddress = address
  }

  mutating func end(at address: UInt64) {
    if isOpen, nextTarget < address { give(upTo: address) }
    isOpen = false
  }

  @inline(never) private mutating func give(upTo address: UInt64) {
    while nextTarget < address {
      if rows[next].file == LineRow.noFile { rows[next] = last }
      step()
    }
  }

  private mutating func step() {
    next += 1
    fuel -= 1
    nextTarget = next < targets.count && fuel > 0 ? targets[next] : .max
  }

  private mutating func find(_ address: UInt64) {
    var low = 0
    var high = targets.count
    while low < high {
      let middle = (low + high) / 2
      if targets[middle] < address { low = middle + 1 } else { high = middle }
    }
    next = low
    nextTarget = low < targets.count && fuel > 0 ? targets[low] : .max
  }
}
