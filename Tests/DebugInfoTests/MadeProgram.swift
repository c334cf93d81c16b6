import Base

/// An ELF file put together from sections of debug information; nothing else is in it.
enum MadeProgram {
  static func file(_ sections: [(name: String, bytes: [UInt8])]) -> [UInt8] {
    var names: [UInt8] = [0]
    var headers = DwarfBytes()
    header(&headers, name: 0, kind: 0, at: 0, byteCount: 0)
    var contents: [UInt8] = []
    for section in sections {
      header(&headers, name: names.count, kind: 1, at: 64 + contents.count, byteCount: section.bytes.count)
      names += Array(section.name.utf8) + [0]
      contents += section.bytes
    }
    header(&headers, name: names.count, kind: 3, at: 64 + contents.count, byteCount: names.count + 5)
    names += Array(".str".utf8) + [0]
    contents += names
    var file = DwarfBytes(bytes: [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0])
    file.u64(0)
    file.u16(2)  // e_type: linked at fixed addresses
    file.u16(62)  // e_machine: x86-64
    file.u32(1)
    file.u64(0)  // e_entry
    file.u64(0)  // e_phoff
    file.u64(UInt64(64 + contents.count))  // e_shoff
    file.u32(0)
    file.u16(64)
    file.u16(56)
    file.u16(0)  // e_phnum
    file.u16(64)
    file.u16(UInt16(sections.count + 2))
    file.u16(UInt16(sections.count + 1))  // e_shstrndx
    return file.bytes + contents + headers.bytes
  }

  private static func header(_ out: inout DwarfBytes, name: Int, kind: UInt32, at place: Int, byteCount: Int) {
    out.u32(UInt32(name))
    out.u32(kind)
    out.u64(0)  // sh_flags
    out.u64(0)  // sh_addr
    out.u64(UInt64(place))
    out.u64(UInt64(byteCount))
    out.u32(0)
    out.u32(0)
    out.u64(1)  // sh_addralign
    out.u64(0)
  }
}
