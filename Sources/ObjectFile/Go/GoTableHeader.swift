import Base

/// The header of Go's own table of functions, `.gopclntab`, of every version from Go 1.2 on (Go's `src/runtime/symtab.go`,
/// `src/debug/gosym/pclntab.go`): where its parts begin.
package struct GoTableHeader: Hashable, Sendable {
  /// Named after the first version that wrote it.
  package enum Layout: UInt32, Sendable {
    case go1_2 = 0xffff_fffb
    case go1_16 = 0xffff_fffa
    case go1_18 = 0xffff_fff0
    case go1_20 = 0xffff_fff1

    /// Entries are 32-bit offsets from the start of the code, not addresses.
    package var hasOffsets: Bool { self == .go1_18 || self == .go1_20 }
  }
  package let layout: Layout
  /// `MinLC`: what distances between instructions are multiples of.
  package let quantum: UInt64
  package let functionCount: Int
  /// Where the parts begin, in bytes from the start of the table; always within it.
  package let names: Int
  /// Of each compilation unit's files, numbers of bytes into `files`; 0 before Go 1.16.
  package let units: Int
  package let files: Int
  package let programs: Int
  package let functions: Int
  /// What entries count from where they are offsets; 0 when the header leaves it to the loader.
  package let textStart: UInt64

  /// `nil` for what is no such table, or of a 32-bit program.
  /// - Parameter bytes: the table, from its magic number on.
  package init?(_ bytes: RawSpan) {
    guard let layout = bytes.integer(at: 0, as: UInt32.self).flatMap({ Layout(rawValue: $0) }), bytes.byteCount >= 72,
      bytes.integer(at: 4, as: UInt16.self) == 0, bytes.byte(at: 7) == 8
    else { return nil }
    let quantum = UInt64(bytes.byte(at: 6) ?? 0)
    guard quantum == 1 || quantum == 2 || quantum == 4 else { return nil }
    func word(_ index: Int) -> UInt64 { bytes.integer(at: 8 + 8 * index, as: UInt64.self) ?? 0 }
    func place(_ index: Int) -> Int? { Int(exactly: word(index)).flatMap { $0 < bytes.byteCount ? $0 : nil } }
    let parts: (names: Int?, units: Int?, files: Int?, programs: Int?, functions: Int?)
    switch layout {
    case .go1_2: parts = (0, 0, 0, 0, 16)
    case .go1_16: parts = (place(2), place(3), place(4), place(5), place(6))
    case .go1_18, .go1_20: parts = (place(3), place(4), place(5), place(6), place(7))
    }
    guard let names = parts.names, let units = parts.units, let files = parts.files, let programs = parts.programs,
      let functions = parts.functions, let count = Int(exactly: word(0)),
      count <= (bytes.byteCount - functions) / (layout.hasOffsets ? 8 : 16)
    else { return nil }
    self.layout = layout
    self.quantum = quantum
    functionCount = count
    self.names = names
    self.units = units
    // Of the oldest layout, what follows the list of functions and its end says where the files are.
    self.files =
      layout == .go1_2
      ? min(Int(bytes.integer(at: functions + count * 16 + 8, as: UInt32.self) ?? 0), bytes.byteCount) : files
    self.programs = programs
    self.functions = functions
    textStart = layout.hasOffsets ? word(2) : 0
  }

  /// Bytes of one entry of the list of functions.
  package var entryByteCount: Int { layout.hasOffsets ? 8 : 16 }
}
