package import Base

/// `.gnu_debuglink`: the file that holds the debug information (gdb manual, "Separate Debug Files").
package struct ElfDebugLink: Hashable, Sendable {
  /// A file name without directories, as it stands; may hold anything.
  package let fileName: String
  /// CRC-32 of the whole debug file.
  package let crc: UInt32

  init(_ bytes: RawSpan) throws(MalformedInput) {
    var cursor = ByteCursor(bytes)
    fileName = try cursor.cString("debug link file name").text()
    try cursor.skip((4 - cursor.offset % 4) % 4, "debug link padding")
    crc = try cursor.read("debug link CRC")
  }
}

/// `.gnu_debugaltlink`: a file of DWARF shared by several debug files, as `dwz` makes it.
package struct ElfDebugAltLink: Hashable, Sendable {
  /// A path, absolute or beside the debug file.
  package let path: String
  package let buildID: BuildID?

  init(_ bytes: RawSpan) throws(MalformedInput) {
    var cursor = ByteCursor(bytes)
    path = try cursor.cString("alternate debug file").text()
    let rest = try cursor.take(cursor.remaining, "alternate debug file's build ID")
    buildID = rest.byteCount <= BuildID.maximumByteCount ? BuildID(rest.copied()) : nil
  }
}

extension ElfFile {
  /// - Throws: `MalformedInput` when the section is there and cannot be read.
  package func debugLink() throws(MalformedInput) -> ElfDebugLink? {
    guard let section = section(named: ".gnu_debuglink")?.section, section.kind != .noBits else { return nil }
    return try ElfDebugLink(try contents(of: section))
  }

  /// - Throws: `MalformedInput` when the section is there and cannot be read.
  package func debugAltLink() throws(MalformedInput) -> ElfDebugAltLink? {
    guard let section = section(named: ".gnu_debugaltlink")?.section, section.kind != .noBits else { return nil }
    return try ElfDebugAltLink(try contents(of: section))
  }
}
