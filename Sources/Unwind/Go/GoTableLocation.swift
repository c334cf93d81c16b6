import Base
import ObjectFile

/// Where Go's table of functions lies in a file.
enum GoTableLocation {
  /// A file without section headers is searched up to here.
  private static let maximumSearchedByteCount = 256 << 20
  /// The linker aligns the table to 32 bytes.
  private static let alignment = 32

  /// The table of `elf`, whose bytes are `file`; `nil` for what is no Go program.
  static func table(of elf: borrowing ElfFile, _ file: FrameBytes) -> GoFunctionTable? {
    // Position-independent programs have it among what is relocated.
    for found in [elf.section(named: ".gopclntab"), elf.section(named: ".data.rel.ro.gopclntab")] {
      guard let section = found?.section, section.kind != .noBits, !section.isCompressed,
        let from = Int(exactly: section.fileOffset.rawValue)
      else { continue }
      return make(elf, file, from: from, byteCount: Int(clamping: section.byteCount), address: section.address.rawValue)
    }
    guard elf.sections.isEmpty else { return nil }
    return search(elf, file)
  }

  private static func make(
    _ elf: borrowing ElfFile, _ file: FrameBytes, from: Int, byteCount: Int, address: UInt64
  ) -> GoFunctionTable? {
    let bytes = file.slice(from: from, byteCount: byteCount)
    return GoFunctionTable(bytes, machine: elf.header.machine, textStart: textStart(elf, tableAddress: address))
  }

  /// What the header's `textStart` is relocated to, or where the code section begins.
  private static func textStart(_ elf: borrowing ElfFile, tableAddress: UInt64) -> UInt64 {
    let place = tableAddress &+ 8 &+ 2 * 8
    let relative: UInt64 = elf.header.machine == .x86_64 ? 8 : 1027  // R_X86_64_RELATIVE, R_AARCH64_RELATIVE
    if let section = elf.section(named: ".rela.dyn")?.section, section.kind == .relocationsWithAddends {
      // Safe: the pointer is used only inside the closure.
      let found = unsafe elf.bytes(at: section.fileOffset, section.byteCount).withUnsafeBytes { contents -> UInt64? in
        let entries = unsafe FrameBytes(contents)
        for index in 0..<entries.count / 24 where entries.load(index * 24, as: UInt64.self) == place {
          guard entries.load(index * 24 + 8, as: UInt64.self) == relative else { continue }
          return entries.load(index * 24 + 16, as: UInt64.self)
        }
        return nil
      }
      if let found { return found }
    }
    return elf.section(named: ".text")?.section.address.rawValue ?? 0
  }

  private static func search(_ elf: borrowing ElfFile, _ file: FrameBytes) -> GoFunctionTable? {
    var left = maximumSearchedByteCount
    for segment in elf.segments where segment.kind == .load && !segment.isExecutable {
      guard let from = Int(exactly: segment.fileOffset.rawValue), from < file.count else { continue }
      let byteCount = min(Int(clamping: segment.fileByteCount), file.count - from, left)
      left -= byteCount
      for place in stride(from: from, to: from + byteCount, by: alignment) {
        // The magic numbers differ in their lowest byte alone; two zeroes follow.
        guard file.load(place, as: UInt64.self) & 0xff00_ffff_ffff_ff00 == 0x0800_0000_ffff_ff00 else { continue }
        let address = segment.address.rawValue &+ UInt64(place - from)
        if let table = make(elf, file, from: place, byteCount: from + byteCount - place, address: address),
          table.functionCount > 0
        {
          return table
        }
      }
    }
    return nil
  }
}
