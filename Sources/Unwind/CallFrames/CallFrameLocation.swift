import Base
import ObjectFile

/// Where the call frames of a file lie.
struct CallFrameLocation: Sendable {
  /// Bytes from the start of the file.
  let from: Int
  let to: Int
  let bases: PointerEncoding.Bases
  /// What `.eh_frame_hdr` says of the number of functions.
  let functionCount: Int?

  /// `.eh_frame` by its section header or, where there is none, by `PT_GNU_EH_FRAME`.
  init?(ehFrameOf elf: borrowing ElfFile) {
    let dataBase = elf.section(named: ".got")?.section.address.rawValue ?? 0
    if let (_, section) = elf.section(named: ".eh_frame"), section.kind != .noBits, !section.isCompressed,
      let from = Int(exactly: section.fileOffset.rawValue), from < elf.bytes.byteCount, section.byteCount > 0
    {
      self.from = from
      to = from + Int(min(section.byteCount, UInt64(elf.bytes.byteCount - from)))
      bases = PointerEncoding.Bases(section: section.address.rawValue, data: dataBase)
      functionCount = nil
      return
    }
    guard let header = elf.segments.first(where: { $0.kind == .ehFrameHeader }),
      let found = Self.readHeader(elf, header),
      let offset = elf.layout.fileOffset(of: ImageAddress(found.ehFrame)), let from = Int(exactly: offset.rawValue)
    else { return nil }
    let byteCount = elf.bytes(at: ImageAddress(found.ehFrame), UInt64(CallFrameSection.maximumByteCount)).byteCount
    guard byteCount > 0 else { return nil }
    self.from = from
    to = from + byteCount
    bases = PointerEncoding.Bases(section: found.ehFrame, data: dataBase)
    functionCount = found.functionCount ?? 0
  }

  /// `.eh_frame_hdr` (Linux Standard Base Core, section 10.6.2).
  private static func readHeader(
    _ elf: borrowing ElfFile, _ segment: ElfSegment
  ) -> (ehFrame: UInt64, functionCount: Int?)? {
    let contents = elf.bytes(at: segment.fileOffset, min(segment.fileByteCount, 64))
    // Safe: the pointer is used only inside the closure.
    return unsafe contents.withUnsafeBytes { contents -> (ehFrame: UInt64, functionCount: Int?)? in
      var reader = unsafe FrameBytes(contents).reader(from: 0, to: contents.count)
      guard reader.byte() == 1 else { return nil }
      let pointerEncoding = PointerEncoding(rawValue: reader.byte())
      let countEncoding = PointerEncoding(rawValue: reader.byte())
      _ = reader.byte()  // table_enc
      let bases = PointerEncoding.Bases(section: segment.address.rawValue, data: segment.address.rawValue)
      guard let address = pointerEncoding.pointer(&reader, bases, addressByteCount: 8), !reader.overran else { return nil }
      guard countEncoding != .omitted, let count = countEncoding.number(&reader, addressByteCount: 8), !reader.overran else {
        return (address, nil)
      }
      return (address, Int(clamping: count))
    }
  }

  /// `.debug_frame`, inflated; empty when there is none that can be read.
  static func debugFrame(of elf: borrowing ElfFile) -> [UInt8] {
    guard let (_, section) = elf.section(named: ".debug_frame"), section.kind != .noBits else { return [] }
    do throws(MalformedInput) {
      return try elf.inflatedContents(of: section)
    } catch {
      // Damaged or packed in an unknown way: there may be other sources.
      return []
    }
  }
}
