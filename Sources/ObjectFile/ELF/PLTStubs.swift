package import Base

/// The stubs of the procedure linkage table and what each of them jumps to.
///
/// Found by decoding the stubs rather than by counting them: each loads its target from a slot of the global offset table, and
/// the relocation of that slot names the symbol. So all linkers' layouts read alike (System V psABI x86-64, section 5.2;
/// ELF for the Arm 64-bit Architecture, "Procedure Linkage Table").
package enum PLTStubs {
  package enum Target: Hashable, Sendable {
    /// An index of `.dynsym`.
    case dynamicSymbol(UInt32)
    /// The resolver of an indirect function that has no dynamic symbol.
    case resolver(ImageAddress)
  }
  package struct Stub: Hashable, Sendable {
    package let address: ImageAddress
    package let byteCount: UInt64
    package let target: Target
  }
  /// Relocations that name slots; beyond this many the rest is not read.
  static let maximumSlotCount = 1 << 20
  /// Of all relocation sections together.
  static let maximumRelocationByteCount = 512 << 20
  /// Of all stub sections together.
  static let maximumStubByteCount = 64 << 20

  /// By address; empty for other machines than x86-64 and aarch64, and where the sections are missing or are no stubs.
  package static func stubs(of file: borrowing ElfFile) -> [Stub] {
    let types: SlotTypes
    switch file.header.machine {
    case .x86_64: types = SlotTypes(globalData: 6, jumpSlot: 7, indirect: 37)
    case .aarch64: types = SlotTypes(globalData: 1025, jumpSlot: 1026, indirect: 1032)
    default: return []
    }
    var stubs: [Stub] = []
    var slots: Slots?
    var bytesLeft = maximumStubByteCount
    for index in file.sections.indices {
      let section = file.sections[index]
      guard section.kind == .programBits, section.isExecutable, isStubSection(file.sectionName(index)) else { continue }
      let code = file.fileBytes(section)
      guard code.byteCount > 0, section.address.adding(section.byteCount) != nil else { continue }
      let known = slots ?? Slots(file, types)
      slots = known
      let read = code.extracting(0..<min(code.byteCount, bytesLeft))
      bytesLeft -= read.byteCount
      switch file.header.machine {
      case .x86_64:
        let stride = section.entryByteCount == 8 ? 8 : 16
        readX86(read, at: section.address, stride: stride, known, into: &stubs)
      default: readAArch64(read, at: section.address, known, into: &stubs)
      }
    }
    stubs.sort { $0.address < $1.address }
    return stubs
  }

  private static func isStubSection(_ name: RawSpan) -> Bool {
    // .plt, .plt.sec, .plt.got, .plt.bnd, .iplt
    let start = name.byte(at: 0) == 0x2e && name.byte(at: 1) == 0x69 ? 2 : 1
    return name.byte(at: 0) == 0x2e && name.byte(at: start) == 0x70 && name.byte(at: start + 1) == 0x6c
      && name.byte(at: start + 2) == 0x74 && (name.byteCount == start + 3 || name.byte(at: start + 3) == 0x2e)
  }

  private struct SlotTypes {
    var globalData: UInt32
    var jumpSlot: UInt32
    var indirect: UInt32
  }

  /// What the relocations say of the slots of the global offset table.
  private struct Slots {
    /// Sorted by address.
    private var entries: [(address: UInt64, target: Target)] = []
    /// In the order of `.rela.plt`, which lazy stubs push as a number.
    private(set) var byIndex: [Target?] = []

    init(_ file: borrowing ElfFile, _ types: SlotTypes) {
      var bytesLeft = PLTStubs.maximumRelocationByteCount
      for section in file.sections where section.kind == .relocationsWithAddends && section.isAllocated {
        let bytes = file.fileBytes(section)
        guard bytes.byteCount <= bytesLeft else { continue }
        bytesLeft -= bytes.byteCount
        read(bytes, file.header.fileClass, types)
      }
      entries.sort { $0.address < $1.address }
    }

    private mutating func read(_ bytes: RawSpan, _ fileClass: ElfHeader.FileClass, _ types: SlotTypes) {
      guard entries.count < PLTStubs.maximumSlotCount else { return }
      var isJumpTable = false
      Self.forEach(bytes, fileClass, types) { offset, target, isJump in
        if isJump { isJumpTable = true }
        if let target { entries.append((offset, target)) }
        return entries.count < PLTStubs.maximumSlotCount
      }
      // A second time: most relocations of a large program are in other sections.
      guard isJumpTable, byIndex.isEmpty else { return }
      Self.forEach(bytes, fileClass, types) { _, target, _ in
        byIndex.append(target)
        return byIndex.count < PLTStubs.maximumSlotCount
      }
    }

    /// Until `visit` says false, or to the end of what is whole.
    private static func forEach(
      _ bytes: RawSpan, _ fileClass: ElfHeader.FileClass, _ types: SlotTypes,
      _ visit: (_ offset: UInt64, _ target: Target?, _ isJump: Bool) -> Bool
    ) {
      var cursor = ByteCursor(bytes)
      do throws(MalformedInput) {
        while cursor.remaining >= (fileClass == .elf64 ? 24 : 12) {
          let offset = try cursor.readWord("r_offset", fileClass)
          let info = try cursor.readWord("r_info", fileClass)
          let addend = try cursor.readWord("r_addend", fileClass)
          let symbol = UInt32(truncatingIfNeeded: fileClass == .elf64 ? info >> 32 : info >> 8)
          let type = UInt32(truncatingIfNeeded: fileClass == .elf64 ? info & 0xffff_ffff : info & 0xff)
          var target: Target?
          switch type {
          case types.jumpSlot, types.globalData: target = symbol == 0 ? nil : .dynamicSymbol(symbol)
          case types.indirect: target = .resolver(ImageAddress(addend))
          default: break
          }
          guard visit(offset, target, type == types.jumpSlot) else { return }
        }
      } catch {
        // Cut short: the stubs of the rest have no names.
      }
    }

    func target(at address: UInt64) -> Target? {
      var low = 0
      var high = entries.count
      while low < high {
        let middle = (low + high) / 2
        if entries[middle].address < address { low = middle + 1 } else { high = middle }
      }
      return low < entries.count && entries[low].address == address ? entries[low].target : nil
    }
  }

  private static func readX86(
    _ code: RawSpan, at address: ImageAddress, stride: Int, _ slots: Slots, into stubs: inout [Stub]
  ) {
    var start = 0
    while start + 6 <= code.byteCount {
      let end = min(start + stride, code.byteCount)
      if let target = targetOfX86Stub(code.extracting(start..<end), at: address.rawValue &+ UInt64(start), slots) {
        stubs.append(
          Stub(address: ImageAddress(address.rawValue &+ UInt64(start)), byteCount: UInt64(end - start), target: target))
      }
      start += stride
    }
  }

  private static func targetOfX86Stub(_ stub: RawSpan, at address: UInt64, _ slots: Slots) -> Target? {
    var at = 0
    if word(stub, 0) == 0xfa1e_0ff3 { at = 4 }  // endbr64
    if stub.byte(at: at) == 0x41, stub.byte(at: at + 1) == 0xbb { at += 6 }  // mov $index, %r11d
    var jump = at
    if stub.byte(at: jump) == 0xf2 { jump += 1 }  // bnd
    if stub.byte(at: jump) == 0xff, stub.byte(at: jump + 1) == 0x25, let displacement = word(stub, jump + 2) {
      // jmp *displacement(%rip), counted from the next instruction
      let slot = address &+ UInt64(jump + 6) &+ UInt64(bitPattern: Int64(Int32(bitPattern: displacement)))
      return slots.target(at: slot)
    }
    if stub.byte(at: at) == 0x68, let index = word(stub, at + 1), let small = Int(exactly: index), small < slots.byIndex.count {
      // push $index, then jmp to the first stub: the lazy half when .plt.sec has the other
      return slots.byIndex[small]
    }
    return nil
  }

  private static func readAArch64(_ code: RawSpan, at address: ImageAddress, _ slots: Slots, into stubs: inout [Stub]) {
    var at = 0
    while at + 8 <= code.byteCount {
      defer { at += 4 }
      // adrp x16, page; ldr x17, [x16, #offset]
      guard let page = word(code, at), let load = word(code, at + 4), page & 0x9f00_001f == 0x9000_0010,
        load & 0xffc0_03ff == 0xf940_0211
      else { continue }
      let high = Int64(Int32(bitPattern: (page >> 5) << 13) >> 13)  // 19 bits, signed
      let pages = high << 2 | Int64((page >> 29) & 3)
      let here = address.rawValue &+ UInt64(at)
      let slot = (here & ~0xfff) &+ UInt64(bitPattern: pages << 12) &+ UInt64((load >> 10) & 0xfff) * 8
      guard let target = slots.target(at: slot) else { continue }
      let hasLandingPad = at >= 4 && word(code, at - 4) == 0xd503_245f  // bti c
      let start = hasLandingPad ? here &- 4 : here
      stubs.append(Stub(address: ImageAddress(start), byteCount: hasLandingPad ? 20 : 16, target: target))
    }
  }

  private static func word(_ code: RawSpan, _ offset: Int) -> UInt32? {
    guard offset >= 0, offset + 4 <= code.byteCount else { return nil }
    // Safe: four bytes from `offset` lie within by the guard above.
    return UInt32(littleEndian: unsafe code.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self))
  }
}
