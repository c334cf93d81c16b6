import Base
import ObjectFile

/// A copy of a program whose `.debug_info` is compressed as ELF says it, into blocks that are stored as they are.
enum PackedFixture {
  static func packing(_ file: [UInt8]) throws -> [UInt8] {
    let (index, contents) = try debugInfo(file)
    var section: [UInt8] = []
    append(UInt32(1), &section)  // ch_type: ELFCOMPRESS_ZLIB
    append(UInt32(0), &section)
    append(UInt64(contents.count), &section)  // ch_size
    append(UInt64(1), &section)  // ch_addralign
    section += [0x78, 0x01]
    var start = 0
    repeat {
      let end = min(start + 0xffff, contents.count)
      section.append(end == contents.count ? 1 : 0)
      append(UInt16(end - start), &section)
      append(~UInt16(end - start), &section)
      section += contents[start..<end]
      start = end
    } while start < contents.count
    section += adler32(contents)
    return replacing(index, in: file, by: section)
  }

  private static func debugInfo(_ file: [UInt8]) throws -> (index: Int, contents: [UInt8]) {
    let elf = try ElfFile(file.borrowedBytes)
    guard let found = elf.section(named: ".debug_info") else { return (0, []) }
    return (found.index, try elf.contents(of: found.section).copied())
  }

  private static func replacing(_ index: Int, in file: [UInt8], by section: [UInt8]) -> [UInt8] {
    var file = file
    let table = Int(number(file, at: 40))
    let entry = table + 64 * index
    put(number(file, at: entry + 8) | 0x800, at: entry + 8, &file)  // sh_flags: SHF_COMPRESSED
    put(UInt64(file.count), at: entry + 24, &file)  // sh_offset
    put(UInt64(section.count), at: entry + 32, &file)  // sh_size
    return file + section
  }

  private static func adler32(_ bytes: [UInt8]) -> [UInt8] {
    var (a, b): (UInt32, UInt32) = (1, 0)
    for byte in bytes {
      a = (a + UInt32(byte)) % 65521
      b = (b + a) % 65521
    }
    return [UInt8(b >> 8), UInt8(b & 255), UInt8(a >> 8), UInt8(a & 255)]
  }

  private static func append(_ number: some FixedWidthInteger, _ bytes: inout [UInt8]) {
    withUnsafeBytes(of: number.littleEndian) { bytes += $0 }
  }
  private static func number(_ bytes: [UInt8], at place: Int) -> UInt64 {
    (0..<8).reduce(0) { $0 | UInt64(bytes[place + $1]) << UInt64(8 * $1) }
  }
  private static func put(_ number: UInt64, at place: Int, _ bytes: inout [UInt8]) {
    for index in 0..<8 { bytes[place + index] = UInt8(truncatingIfNeeded: number >> UInt64(8 * index)) }
  }
}
