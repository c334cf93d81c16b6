import Base

/// The header of a line number program (DWARF 5, section 6.2.4), its files left where they stand until one is asked for.
struct LineHeader {
  /// What a special opcode does.
  struct Step {
    var operations: UInt8
    var line: Int16
    /// `operations` in bytes.
    var address: UInt16
  }
  /// A file or directory as the table names it.
  struct Name {
    var text: FormValue
    var directory: UInt32
  }

  let format: UnitFormat
  private(set) var minimumInstructionLength: UInt8 = 1
  private(set) var maximumOperations: UInt8 = 1
  private(set) var opcodeBase: UInt8 = 13
  /// By opcode.
  private(set) var steps: [Step] = []
  /// By opcode, of those below `opcodeBase`.
  private(set) var operandCounts: [UInt8] = []
  /// Of version 5 the first is the unit's own directory; of older ones it is left out and counting starts at 1.
  private(set) var directories: [Name] = []
  /// As `directories`.
  private(set) var files: [Name] = []
  /// Bytes into `.debug_line`.
  private(set) var programStart = 0
  private(set) var end = 0

  /// Steps that reading it took: bytes, and fields of entries, which may have none.
  private(set) var stepCount = 0

  /// `nil` for a version that is not known or a header that does not fit.
  init?(_ spans: borrowing SectionSpans, at offset: UInt64, addressSize: UInt8) {
    guard let start = Int(exactly: offset) else { return nil }
    var cursor = DwarfCursor(spans.line, from: start)
    var length = UInt64(cursor.u32())
    var offsetSize: UInt8 = 4
    if length == 0xffff_ffff {
      length = cursor.u64()
      offsetSize = 8
    }
    guard !cursor.hasFailed else { return nil }
    end = cursor.position + Int(min(length, UInt64(cursor.remaining)))
    cursor = DwarfCursor(spans.line, from: cursor.position, to: end)
    let version = cursor.u16()
    guard version >= 2, version <= 5 else { return nil }
    var addressSize = addressSize
    if version >= 5 {
      addressSize = cursor.u8()
      _ = cursor.u8()
    }
    format = UnitFormat(version: version, addressSize: addressSize, offsetSize: offsetSize)
    let headerLength = cursor.number(size: Int(offsetSize))
    guard !cursor.hasFailed, headerLength <= UInt64(cursor.remaining) else { return nil }
    programStart = cursor.position + Int(headerLength)
    minimumInstructionLength = cursor.u8()
    if version >= 4 { maximumOperations = cursor.u8() }
    _ = cursor.u8()  // default_is_stmt
    let lineBase = Int8(bitPattern: cursor.u8())
    let lineRange = cursor.u8()
    opcodeBase = cursor.u8()
    operandCounts = [0]
    for _ in 1..<max(1, Int(opcodeBase)) { operandCounts.append(cursor.u8()) }
    guard !cursor.hasFailed else { return nil }
    makeSteps(lineBase, lineRange)
    if version >= 5 {
      directories = Self.names(&cursor, format, &stepCount)
      files = Self.names(&cursor, format, &stepCount)
    } else {
      directories = Self.oldNames(&cursor, areFiles: false)
      files = Self.oldNames(&cursor, areFiles: true)
    }
    stepCount += steps.count + cursor.position - start
  }

  private mutating func makeSteps(_ lineBase: Int8, _ lineRange: UInt8) {
    steps = [Step](repeating: Step(operations: 0, line: 0, address: 0), count: 256)
    // A range of 0 would be divided by; such a program can only use the other opcodes.
    guard lineRange > 0 else { return }
    for opcode in Int(opcodeBase)..<256 {
      let adjusted = UInt8(opcode - Int(opcodeBase))
      let operations = adjusted / lineRange
      steps[opcode] = Step(
        operations: operations, line: Int16(lineBase) + Int16(adjusted % lineRange),
        address: UInt16(operations) * UInt16(minimumInstructionLength))
    }
    // What DW_LNS_const_add_pc takes, should every opcode be a standard one.
    if opcodeBase == 0 { steps[255].operations = 255 / lineRange }
  }

  private static func oldNames(_ cursor: inout DwarfCursor, areFiles: Bool) -> [Name] {
    var names: [Name] = []
    while !cursor.isAtEnd {
      let start = cursor.position
      cursor.skipString()
      if cursor.hasFailed || cursor.position == start + 1 { break }
      var directory: UInt32 = 0
      if areFiles {
        directory = UInt32(truncatingIfNeeded: cursor.uleb())
        _ = cursor.uleb()
        _ = cursor.uleb()
      }
      names.append(Name(text: FormValue(kind: .inlineString, number: UInt64(start)), directory: directory))
    }
    return names
  }

  private static func names(_ cursor: inout DwarfCursor, _ format: UnitFormat, _ stepCount: inout Int) -> [Name] {
    var fields: [(content: UInt64, form: UInt16)] = []
    for _ in 0..<cursor.u8() { fields.append((cursor.uleb(), UInt16(exactly: cursor.uleb()) ?? 0)) }
    let count = cursor.uleb()
    var names: [Name] = []
    guard !cursor.hasFailed, !fields.isEmpty else { return names }
    // Entries that take no bytes could be claimed without end.
    let limit = Int(min(count, UInt64(cursor.remaining)))
    names.reserveCapacity(limit / fields.count)
    while names.count < limit, !cursor.isAtEnd {
      var name = Name(text: .absent, directory: 0)
      for field in fields {
        let value = cursor.value(field.form, constant: 0, format)
        if field.content == 1 { name.text = value }  // DW_LNCT_path
        if field.content == 2 { name.directory = value.small }  // DW_LNCT_directory_index
      }
      if cursor.hasFailed { break }
      names.append(name)
    }
    stepCount += names.count * fields.count
    return names
  }

  /// The entry for a file number of the program or of the unit's entries.
  func file(_ number: UInt32) -> Name? { Self.entry(number, of: files, isNew: format.version >= 5) }
  func directory(_ number: UInt32) -> Name? { Self.entry(number, of: directories, isNew: format.version >= 5) }

  private static func entry(_ number: UInt32, of names: [Name], isNew: Bool) -> Name? {
    let index = isNew ? Int(number) : Int(number) - 1
    return names.indices.contains(index) ? names[index] : nil
  }
}
