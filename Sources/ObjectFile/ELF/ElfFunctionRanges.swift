package import Base

/// The code ranges that `.eh_frame_hdr`'s sorted table leads to (Linux Standard Base, "Exception Frame Header"), in the one
/// encoding that linkers write: 32-bit, relative to the header; ranges relative to themselves.
package struct ElfFunctionRanges: ~Escapable {
  private let file: ElfFile
  private let table: RawSpan
  private let headerAddress: UInt64
  private let count: Int

  /// One range with call frame information.
  package struct Range: Hashable, Sendable {
    package let addresses: AddressRange<InImage>
    /// Whether the frame is set up where the range begins: a part of a function that another one jumps to.
    package let isContinuation: Bool
  }

  /// `nil` when there is no such table, or one of another form.
  @_lifetime(copy file)
  package init?(_ file: ElfFile) {
    guard let segment = file.segments.first(where: { $0.kind == .ehFrameHeader }) else { return nil }
    let bytes = file.bytes(at: segment.fileOffset, segment.fileByteCount)
    var cursor = ByteCursor(bytes)
    do throws(MalformedInput) {
      // Version 1; pointer, count and table as (pcrel sdata4), udata4, (datarel sdata4).
      let form: UInt32 = try cursor.read("eh_frame_hdr")
      guard form == 0x3b03_1b01 else { return nil }
      try cursor.skip(4, "eh_frame_ptr")
      let count: UInt32 = try cursor.read("fde_count")
      table = try cursor.take(Int(count) * 8, "search table")
      self.count = Int(count)
    } catch {
      return nil
    }
    headerAddress = segment.address.rawValue
    self.file = file
  }

  /// The range that holds `address`; `nil` when none does.
  package func range(at address: ImageAddress) -> Range? {
    var low = 0
    var high = count
    while low < high {
      let middle = (low + high) / 2
      if start(middle) <= address.rawValue { low = middle + 1 } else { high = middle }
    }
    guard low > 0 else { return nil }
    let entry = headerAddress &+ word((low - 1) * 8 + 4)
    guard let range = try? range(described: ImageAddress(entry), start: start(low - 1)), range.addresses.contains(address) else {
      return nil
    }
    return range
  }

  private func start(_ index: Int) -> UInt64 { headerAddress &+ word(index * 8) }

  /// The signed 32-bit number at `offset` of the table, widened.
  private func word(_ offset: Int) -> UInt64 {
    var cursor = ByteCursor(table.extracting(offset..<(offset + 4)))
    guard let value = try? cursor.read("search table", as: UInt32.self) else { return 0 }
    return UInt64(bitPattern: Int64(Int32(bitPattern: value)))
  }

  private func range(described entry: ImageAddress, start: UInt64) throws(MalformedInput) -> Range? {
    var cursor = ByteCursor(file.bytes(at: entry, 1 << 12))
    let length: UInt32 = try cursor.read("length")
    guard length > 12, length < 0xffff_fff0 else { return nil }
    try cursor.skip(4, "CIE pointer")
    let displacement: UInt32 = try cursor.read("initial location")
    guard entry.rawValue &+ 8 &+ UInt64(bitPattern: Int64(Int32(bitPattern: displacement))) == start else { return nil }
    let byteCount: UInt32 = try cursor.read("address range")
    let augmentation = try cursor.uleb128("augmentation length")
    guard augmentation < 1 << 10 else { return nil }
    try cursor.skip(Int(augmentation), "augmentation data")
    guard let addresses = ImageAddress(start).adding(UInt64(byteCount)).flatMap({ AddressRange(start: ImageAddress(start), end: $0) })
    else { return nil }
    // DW_CFA_def_cfa, DW_CFA_def_cfa_register, DW_CFA_def_cfa_offset before any DW_CFA_advance_loc.
    let first = (try? cursor.read("instruction", as: UInt8.self)) ?? 0
    return Range(addresses: addresses, isContinuation: (0x0c...0x0e).contains(first))
  }
}
