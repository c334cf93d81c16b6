/// `DW_AT_language` (DWARF 5, table 7.17, and the list of languages on dwarfstd.org).
enum Language {
  /// With Objective-C++.
  static let cPlusPlus: Set<UInt64> = [0x04, 0x11, 0x1a, 0x21, 0x2a, 0x2b, 0x3a]
  /// C, Objective-C and assemblers: a name is the whole name.
  static let plain: Set<UInt64> = [0x01, 0x02, 0x0c, 0x10, 0x1d, 0x2c, 0x31, 0x3e, 0x8001]

  /// C++ and Rust: `outer::inner` is how names are written.
  static func hasScopes(_ language: UInt64) -> Bool { cPlusPlus.contains(language) || language == 0x1c }

  /// Compilers of these put a method's code beside its class, not into it.
  static func keepsCodeOutOfTypes(_ language: UInt64) -> Bool { plain.contains(language) || cPlusPlus.contains(language) }
}
