package import Base

/// The versions of dynamic symbols (LSB, "Symbol Versioning": `.gnu.version`, `.gnu.version_d`, `.gnu.version_r`).
///
/// The names in `.dynsym` are plain; GNU ld writes them with their version into `.symtab` (`memcpy@@GLIBC_2.14`).
package struct ElfVersions: Hashable, Sendable {
  /// A version of one symbol.
  package struct Version: Hashable, Sendable {
    package let name: String
    /// Not the one a new program links against: written with one `@`.
    package let isHidden: Bool
  }
  /// More than any library has.
  static let maximumVersionCount = 32_768

  private let indices: [UInt16]
  private let names: [UInt16: String]

  /// - Throws: `MalformedInput` when one of the tables is cut short or runs in circles.
  package init?(_ file: borrowing ElfFile) throws(MalformedInput) {
    guard let versions = file.section(of: .gnuVersions)?.section else { return nil }
    var cursor = ByteCursor(try file.contents(of: versions))
    var indices: [UInt16] = []
    indices.reserveCapacity(cursor.remaining / 2)
    while cursor.remaining >= 2 { indices.append(try cursor.read("vs_vers")) }
    self.indices = indices

    var names: [UInt16: String] = [:]
    if let section = file.section(of: .gnuVersionDefinitions)?.section {
      try Self.readDefinitions(try file.contents(of: section), strings: Self.strings(of: section, in: file), into: &names)
    }
    if let section = file.section(of: .gnuVersionNeeds)?.section {
      try Self.readNeeds(try file.contents(of: section), strings: Self.strings(of: section, in: file), into: &names)
    }
    self.names = names
  }

  /// The version of the dynamic symbol at `index`; `nil` when it has none.
  package func version(ofSymbol index: Int) -> Version? {
    guard indices.indices.contains(index) else { return nil }
    let raw = indices[index]
    guard raw & 0x7fff > 1, let name = names[raw & 0x7fff] else { return nil }
    return Version(name: name, isHidden: raw & 0x8000 != 0)
  }

  /// How many bytes of a symbol's name stand before its version: of `memcpy@@GLIBC_2.14`, 6.
  package static func plainNameByteCount(_ name: RawSpan) -> Int {
    // MSVC's manglings begin with ? and hold @ as a matter of course.
    if name.byte(at: 0) == 0x3f { return name.byteCount }
    guard let index = name.firstIndex(of: 0x40, in: 0..<name.byteCount), index > 0 else { return name.byteCount }
    return index
  }

  @_lifetime(copy file)
  private static func strings(of section: ElfSection, in file: borrowing ElfFile) -> RawSpan {
    guard let link = Int(exactly: section.link), file.sections.indices.contains(link) else {
      return file.bytes(at: FileOffset(0), 0)
    }
    return file.fileBytes(file.sections[link])
  }

  private static func readDefinitions(
    _ table: RawSpan, strings: RawSpan, into names: inout [UInt16: String]
  ) throws(MalformedInput) {
    var cursor = ByteCursor(table)
    var at: UInt64 = 0
    for _ in 0..<maximumVersionCount {
      guard at < UInt64(table.byteCount) else { return }
      try cursor.seek(to: at, "vd_next")
      try cursor.skip(4, "vd_version, vd_flags")
      let index: UInt16 = try cursor.read("vd_ndx")
      try cursor.skip(6, "vd_cnt, vd_hash")
      let names0: UInt32 = try cursor.read("vd_aux")
      let next: UInt32 = try cursor.read("vd_next")
      // The first auxiliary entry is the version's own name, the others its parents'.
      try cursor.seek(to: at + UInt64(names0), "vd_aux")
      names[index & 0x7fff] = name(at: try cursor.read("vda_name"), in: strings)
      guard next > 0 else { return }
      at += UInt64(next)
    }
  }

  private static func readNeeds(
    _ table: RawSpan, strings: RawSpan, into names: inout [UInt16: String]
  ) throws(MalformedInput) {
    var cursor = ByteCursor(table)
    var at: UInt64 = 0
    var left = maximumVersionCount
    while left > 0, at < UInt64(table.byteCount) {
      try cursor.seek(to: at, "vn_next")
      try cursor.skip(8, "vn_version, vn_cnt, vn_file")
      let first: UInt32 = try cursor.read("vn_aux")
      let next: UInt32 = try cursor.read("vn_next")
      var auxiliary = at + UInt64(first)
      while left > 0 {
        left -= 1
        try cursor.seek(to: auxiliary, "vna_next")
        try cursor.skip(6, "vna_hash, vna_flags")
        let index: UInt16 = try cursor.read("vna_other")
        names[index & 0x7fff] = name(at: try cursor.read("vna_name"), in: strings)
        let nextAuxiliary: UInt32 = try cursor.read("vna_next")
        guard nextAuxiliary > 0 else { break }
        auxiliary += UInt64(nextAuxiliary)
      }
      guard next > 0 else { return }
      at += UInt64(next)
    }
  }

  private static func name(at offset: UInt32, in strings: RawSpan) -> String {
    let whole = ElfStrings.string(at: Int(offset), in: strings)
    // Version names are short words; a hostile table must not fill memory with the same megabyte again and again.
    return whole.extracting(0..<min(whole.byteCount, 256)).text()
  }
}
