/// An ELF file put together for a test: code, call frames and what else is asked for, as little as a reader needs.
struct MadeFile {
  /// Image addresses of the code and of `.eh_frame`.
  static let codeAddress: UInt64 = 0x401000
  static let framesAddress: UInt64 = 0x600000
  static let goAddress: UInt64 = 0x800000

  var machine: UInt16 = 62
  var code = [UInt8](repeating: 0x90, count: 0x200)
  var ehFrame: [UInt8] = []
  var debugFrame: [UInt8] = []
  /// `.gopclntab`.
  var goTable: [UInt8] = []
  /// Of the code, as other names than `.text` make it mean something else.
  var codeName = ".text"
  var hasSections = true
  /// Of a further section with a few bytes in it.
  var otherName = ""
  /// Functions, as offsets into the code and sizes, in a symbol table.
  var functions: [(UInt64, UInt64)] = []
  var entry: UInt64 = 0
  /// `.eh_frame_hdr` without its search table.
  var functionCount: UInt32?

  var bytes: [UInt8] {
    var names: [UInt8] = [0]
    func name(_ text: String) -> UInt32 {
      defer { names += Array(text.utf8) + [0] }
      return UInt32(names.count)
    }
    var body: [UInt8] = []
    let start = 64 + 4 * 56
    func place(_ bytes: [UInt8]) -> UInt64 {
      while body.count % 16 != 0 { body.append(0) }
      defer { body += bytes }
      return UInt64(start + body.count)
    }
    let codeAt = place(code)
    // eh_frame_ptr as an absolute udata8, fde_count as udata4, no table
    let header: [UInt8] = [1, 0x04, 0x03, 0xff] + little(Self.framesAddress) + little(functionCount ?? 0)
    let headerAt = place(header)
    let framesAt = place(ehFrame)
    let debugAt = place(debugFrame)
    while body.count % 32 != (32 - start % 32) % 32 { body.append(0) }
    let goAt = place(goTable)
    var symbols = [UInt8](repeating: 0, count: 24)
    for (offset, byteCount) in functions {
      symbols += little(UInt32(0)) + [2, 0] + little(UInt16(1)) + little(Self.codeAddress + offset) + little(byteCount)
    }
    let symbolsAt = place(symbols)
    typealias Section = (name: UInt32, type: UInt32, flags: UInt64, address: UInt64, offset: UInt64, size: UInt64)
    var sections: [Section] = [(0, 0, 0, 0, 0, 0)]
    sections.append((name(codeName), 1, 6, Self.codeAddress, codeAt, UInt64(code.count)))
    if !ehFrame.isEmpty { sections.append((name(".eh_frame"), 1, 2, Self.framesAddress, framesAt, UInt64(ehFrame.count))) }
    if !debugFrame.isEmpty { sections.append((name(".debug_frame"), 1, 0, 0, debugAt, UInt64(debugFrame.count))) }
    if !goTable.isEmpty { sections.append((name(".gopclntab"), 1, 2, Self.goAddress, goAt, UInt64(goTable.count))) }
    if !otherName.isEmpty { sections.append((name(otherName), 1, 2, Self.framesAddress + 0x10000, framesAt, 8)) }
    if !functions.isEmpty { sections.append((name(".symtab"), 2, 0, 0, symbolsAt, UInt64(symbols.count))) }
    sections.append((name(".shstrtab"), 3, 0, 0, 0, 0))
    let namesAt = place(names)
    sections[sections.count - 1].offset = namesAt
    sections[sections.count - 1].size = UInt64(names.count)
    while body.count % 16 != 0 { body.append(0) }
    let tableAt = UInt64(start + body.count)

    var file: [UInt8] = [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1] + [UInt8](repeating: 0, count: 9)
    file += little(UInt16(3)) + little(machine) + little(UInt32(1)) + little(entry) + little(UInt64(64))
    file += little(hasSections ? tableAt : 0) + little(UInt32(0)) + little(UInt16(64)) + little(UInt16(56)) + little(UInt16(4))
    file += little(UInt16(64)) + little(UInt16(hasSections ? sections.count : 0)) + little(UInt16(sections.count - 1))
    func segment(_ type: UInt32, _ flags: UInt32, _ offset: UInt64, _ address: UInt64, _ size: Int) {
      file += little(type) + little(flags) + little(offset) + little(address) + little(address)
      file += little(UInt64(size)) + little(UInt64(size)) + little(UInt64(16))
    }
    segment(1, 5, codeAt, Self.codeAddress, code.count)
    segment(1, 4, framesAt, Self.framesAddress, ehFrame.count)
    segment(functionCount == nil ? 0 : 0x6474_e550, 4, headerAt, 0x700000, header.count)
    segment(goTable.isEmpty ? 0 : 1, 4, goAt, Self.goAddress, goTable.count)
    file += body
    guard hasSections else { return file }
    for section in sections {
      file += little(section.name) + little(section.type) + little(section.flags) + little(section.address)
      file += little(section.offset) + little(section.size) + little(UInt32(section.type == 2 ? sections.count - 1 : 0))
      file += little(UInt32(0)) + little(UInt64(1))
      file += little(UInt64(0))
    }
    return file
  }
}

/// The bytes of a number, least significant first.
func little<Value: FixedWidthInteger>(_ value: Value) -> [UInt8] {
  (0..<Value.bitWidth / 8).map { UInt8(truncatingIfNeeded: value >> Value(8 * $0)) }
}

/// Call-frame entries, written byte by byte.
struct Frames {
  private(set) var bytes: [UInt8] = []
  private var commonAt = 0
  private var encoding: UInt8 = 0
  var isDebugFrame = false
  /// The 64-bit format of DWARF.
  var isWide = false
  var version: UInt8 = 1
  /// x86-64: CFA = rsp + 8, return address at CFA - 8.
  static let x86Start: [UInt8] = [0x0c, 7, 8, 0x90, 1]

  private mutating func append(_ body: [UInt8]) {
    let padded = body + [UInt8](repeating: 0, count: (8 - body.count % 8) % 8)
    bytes += isWide ? little(UInt32.max) + little(UInt64(padded.count)) : little(UInt32(padded.count))
    bytes += padded
  }

  /// - Parameter encoding: of pointers; none for `.debug_frame`.
  mutating func common(
    encoding: UInt8? = 0x1b, letters: String = "", data: [UInt8] = [], codeAlignment: UInt8 = 1, dataAlignment: UInt8 = 0x78,
    column: UInt8 = 16, _ instructions: [UInt8] = x86Start
  ) {
    commonAt = bytes.count
    self.encoding = encoding ?? 0
    let identity =
      isDebugFrame ? (isWide ? little(UInt64.max) : little(UInt32.max)) : little(UInt32(0))
    let augmentation = encoding.map { _ in Array(("z" + letters + "R").utf8) } ?? []
    var body = identity + [version] + augmentation + [0]
    if version == 4 { body += [8, 0] }
    body += [codeAlignment, dataAlignment, column]
    if let encoding { body += [UInt8(data.count + 1)] + data + [encoding] }
    append(body + instructions)
  }

  mutating func function(_ start: UInt64, _ byteCount: UInt64, _ instructions: [UInt8]) {
    let identityAt = bytes.count + (isWide ? 12 : 4)
    var body =
      isDebugFrame
      ? (isWide ? little(UInt64(commonAt)) : little(UInt32(commonAt))) : little(UInt32(identityAt - commonAt))
    let here = MadeFile.framesAddress &+ UInt64(identityAt + body.count)
    let value = encoding & 0x70 == 0x10 ? start &- here : start
    for number in [value, byteCount] {
      switch encoding & 0x0f {
      case 0x0b, 0x03: body += little(UInt32(truncatingIfNeeded: number))
      case 0x0a, 0x02: body += little(UInt16(truncatingIfNeeded: number))
      default: body += little(number)
      }
    }
    if !isDebugFrame { body += [0] }
    append(body + instructions)
  }

  mutating func end() { bytes += [0, 0, 0, 0] }
}
