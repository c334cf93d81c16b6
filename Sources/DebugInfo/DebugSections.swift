import Base
import ObjectFile

/// The bytes of a whole file, shared by everything that reads from it.
package protocol SharedBytes: AnyObject, Sendable {
  var bytes: RawSpan {
    @_lifetime(borrow self) get
  }
  /// `nil` for bytes that are no file of this machine.
  var fileNumbers: FileNumbers? { get }
}

extension SharedBytes {
  package var fileNumbers: FileNumbers? { nil }
}

/// Bytes of our own: a section that was inflated, or a file made in memory.
///
/// `@unchecked Sendable`: the memory is private and nobody writes to it.
@safe package final class OwnedBytes: SharedBytes, @unchecked Sendable {
  private let memory: UnsafeMutableRawBufferPointer

  /// A copy of `bytes`.
  package init(_ bytes: [UInt8]) {
    unsafe memory = .allocate(byteCount: bytes.count, alignment: 16)
    unsafe memory.copyBytes(from: bytes)
  }

  init(inflating section: borrowing ElfCompressedSection) throws(MalformedInput) {
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: section.byteCount, alignment: 16)
    do throws(MalformedInput) {
      unsafe try section.inflate(into: memory)
    } catch {
      unsafe memory.deallocate()
      throw error
    }
    unsafe self.memory = memory
  }

  deinit { unsafe memory.deallocate() }

  package var bytes: RawSpan {
    @_lifetime(borrow self) get {
      // Safe: the memory never moves and lives as long as `self`.
      unsafe _overrideLifetime(RawSpan(_unsafeBytes: UnsafeRawBufferPointer(memory)), borrowing: self)
    }
  }
}

/// A part of a file's bytes, or of bytes made from it.
///
/// `@unchecked Sendable`: the bytes are only read, and `owner` keeps them where they are.
@safe struct SectionBytes: @unchecked Sendable {
  private let owner: any SharedBytes
  fileprivate let view: UnsafeRawBufferPointer
  var count: Int { unsafe view.count }

  /// What of the range lies in the owner's bytes.
  init(_ owner: any SharedBytes, _ offset: UInt64, _ count: UInt64) {
    self.owner = owner
    let part = owner.bytes.slice(offset, count)
    // Safe: the owner is kept along with the pointer.
    unsafe view = part.withUnsafeBytes { unsafe $0 }
  }

  var bytes: RawSpan {
    @_lifetime(borrow self) get {
      // Safe: the bytes stay where they are as long as `owner` lives, which `self` keeps.
      unsafe _overrideLifetime(RawSpan(_unsafeBytes: view), borrowing: self)
    }
  }
}

/// The sections of DWARF in one ELF file, inflated where they are compressed.
struct DebugSections: Sendable {
  enum Name: Int, CaseIterable {
    case info, abbreviations, line, lineStrings, strings, stringOffsets, addresses, ranges, rangeLists, addressRanges, unitIndex

    var text: StaticString {
      switch self {
      case .info: ".debug_info"
      case .abbreviations: ".debug_abbrev"
      case .line: ".debug_line"
      case .lineStrings: ".debug_line_str"
      case .strings: ".debug_str"
      case .stringOffsets: ".debug_str_offsets"
      case .addresses: ".debug_addr"
      case .ranges: ".debug_ranges"
      case .rangeLists: ".debug_rnglists"
      case .addressRanges: ".debug_aranges"
      case .unitIndex: ".debug_cu_index"
      }
    }

    /// In split files.
    var splitText: StaticString {
      switch self {
      case .info: ".debug_info.dwo"
      case .abbreviations: ".debug_abbrev.dwo"
      case .line: ".debug_line.dwo"
      case .lineStrings: ".debug_line_str.dwo"
      case .strings: ".debug_str.dwo"
      case .stringOffsets: ".debug_str_offsets.dwo"
      case .addresses: ".debug_addr.dwo"
      case .ranges: ".debug_ranges.dwo"
      case .rangeLists: ".debug_rnglists.dwo"
      case .addressRanges: ".debug_aranges.dwo"
      case .unitIndex: ".debug_cu_index"
      }
    }

    /// As GNU tools name it when it is compressed in their own way.
    var gnuCompressedText: StaticString {
      switch self {
      case .info: ".zdebug_info"
      case .abbreviations: ".zdebug_abbrev"
      case .line: ".zdebug_line"
      case .lineStrings: ".zdebug_line_str"
      case .strings: ".zdebug_str"
      case .stringOffsets: ".zdebug_str_offsets"
      case .addresses: ".zdebug_addr"
      case .ranges: ".zdebug_ranges"
      case .rangeLists: ".zdebug_rnglists"
      case .addressRanges: ".zdebug_aranges"
      case .unitIndex: ".zdebug_cu_index"
      }
    }
  }
  /// By `Name`.
  private var sections: [SectionBytes]
  /// Of those that were compressed and are here.
  private(set) var inflatedByteCount = 0
  /// Of those that were compressed or had to be relocated, and are here.
  private(set) var ownedByteCount = 0
  /// `.debug_info` where it was left compressed; its bytes are then not among the others.
  private(set) var packedInfo: PackedInfo?

  /// What all sections together may inflate to, as a multiple of the file, and what is always allowed.
  static let maximumInflation: UInt64 = 64
  static let smallByteCount: UInt64 = 64 << 20

  /// - Parameters:
  ///   - isSplit: a `.dwo` file or a `.dwp` package, whose sections are named differently.
  ///   - packedFrom: a compressed `.debug_info` that comes to as many bytes is left as it is.
  init(_ file: any SharedBytes, isSplit: Bool = false, workers: Int, packedFrom: Int = .max) throws(MalformedInput) {
    let elf = try ElfFile(file.bytes)
    // Split files are of the same type, and have nothing that would have to be put in.
    if !isSplit { try ElfRelocatable.check(elf.header) }
    sections = []
    var packed: [(name: Name, section: ElfSection, isGNU: Bool)] = []
    for name in Name.allCases {
      var found = SectionBytes(file, 0, 0)
      if let section = elf.section(named: isSplit ? name.splitText : name.text)?.section, section.kind != .noBits {
        if section.isCompressed {
          packed.append((name, section, false))
        } else {
          found = SectionBytes(file, section.fileOffset.rawValue, section.byteCount)
        }
      } else if let section = elf.section(named: name.gnuCompressedText)?.section, section.kind != .noBits {
        packed.append((name, section, true))
      }
      sections.append(found)
    }
    guard !packed.isEmpty else {
      if !isSplit { relocate(file) }
      return
    }
    // The largest first, so that the others are done beside it.
    packed.sort { ($1.section.byteCount, $0.name.rawValue) < ($0.section.byteCount, $1.name.rawValue) }
    var allowed = Self.smallByteCount + UInt64(file.bytes.byteCount) * Self.maximumInflation
    for entry in packed {
      let contents = try elf.contents(of: entry.section)
      let section = try entry.isGNU ? ElfCompressedSection(gnu: contents) : ElfCompressedSection(contents, elf.header.fileClass)
      guard UInt64(section.byteCount) <= allowed else {
        throw MalformedInput(
          field: "compressed sections", offset: entry.section.fileOffset,
          problem: .overLimit(value: UInt64(section.byteCount), limit: allowed))
      }
      allowed -= UInt64(section.byteCount)
      if entry.name == .info, section.byteCount >= packedFrom {
        packedInfo = PackedInfo(
          file: file, section: entry.section, isGNU: entry.isGNU, fileClass: elf.header.fileClass, byteCount: section.byteCount)
      }
    }
    if packedInfo != nil { packed.removeAll { $0.name == .info } }
    let work = packed
    let fileClass = elf.header.fileClass
    let inflated = parallelMap(count: work.count, workers: workers) { index -> Result<OwnedBytes, MalformedInput> in
      let entry = work[index]
      let contents = file.bytes.slice(entry.section.fileOffset.rawValue, entry.section.byteCount)
      do throws(MalformedInput) {
        let section = try entry.isGNU ? ElfCompressedSection(gnu: contents) : ElfCompressedSection(contents, fileClass)
        return .success(try OwnedBytes(inflating: section))
      } catch {
        return .failure(error)
      }
    }
    for (entry, result) in zip(work, inflated) {
      let bytes = try result.get()
      sections[entry.name.rawValue] = SectionBytes(bytes, 0, UInt64(bytes.bytes.byteCount))
      inflatedByteCount += bytes.bytes.byteCount
    }
    ownedByteCount = inflatedByteCount
    if !isSplit { relocate(file) }
  }

  /// Puts the addresses in that a linker, or the kernel when it loads a module, would have put in.
  private mutating func relocate(_ file: any SharedBytes) {
    guard let elf = try? ElfFile(file.bytes), let unlinked = ElfRelocatable(elf) else { return }
    for name in Name.allCases {
      let section = sections[name.rawValue]
      guard section.count > 0, let index = elf.section(named: name.text)?.index,
        let bytes = unlinked.relocated(section.bytes, ofSection: index, in: elf)
      else { continue }
      sections[name.rawValue] = SectionBytes(OwnedBytes(bytes), 0, UInt64(bytes.count))
      ownedByteCount += bytes.count
    }
  }

  /// What the compressed sections of a file come to; `Int.max` when that cannot be told.
  static func inflatedByteCount(of elf: borrowing ElfFile) -> Int {
    var sum = 0
    for name in Name.allCases {
      let section: ElfCompressedSection
      do throws(MalformedInput) {
        if let found = elf.section(named: name.text)?.section, found.kind != .noBits {
          if !found.isCompressed { continue }
          section = try ElfCompressedSection(try elf.contents(of: found), elf.header.fileClass)
        } else if let found = elf.section(named: name.gnuCompressedText)?.section, found.kind != .noBits {
          section = try ElfCompressedSection(gnu: try elf.contents(of: found))
        } else {
          continue
        }
      } catch {
        return .max
      }
      let (next, overflow) = sum.addingReportingOverflow(section.byteCount)
      if overflow { return .max }
      sum = next
    }
    return sum
  }

  /// Bytes of all sections, inflated.
  var byteCount: Int { sections.reduce(packedInfo?.byteCount ?? 0) { $0 + $1.count } }

  var isEmpty: Bool { sections[Name.info.rawValue].count == 0 && packedInfo == nil }

  var spans: SectionSpans {
    @_lifetime(borrow self) get {
      var spans = SectionSpans(empty: part(.info))
      spans.info = part(.info)
      spans.abbreviations = part(.abbreviations)
      spans.line = part(.line)
      spans.lineStrings = part(.lineStrings)
      spans.strings = part(.strings)
      spans.stringOffsets = part(.stringOffsets)
      spans.addresses = part(.addresses)
      spans.ranges = part(.ranges)
      spans.rangeLists = part(.rangeLists)
      spans.addressRanges = part(.addressRanges)
      spans.unitIndex = part(.unitIndex)
      return spans
    }
  }

  @_lifetime(borrow self)
  private func part(_ name: Name) -> RawSpan {
    // Safe: the owner is kept by `self`, too, and its bytes never move.
    let view = unsafe sections[name.rawValue].view
    return unsafe _overrideLifetime(RawSpan(_unsafeBytes: view), borrowing: self)
  }
}

/// A compressed `.debug_info` that is read as it is inflated.
struct PackedInfo: Sendable {
  let file: any SharedBytes
  let section: ElfSection
  let isGNU: Bool
  let fileClass: ElfHeader.FileClass
  /// Bytes it inflates to.
  let byteCount: Int

  var contents: ElfCompressedSection {
    @_lifetime(borrow self) get throws(MalformedInput) {
      let bytes = file.bytes.slice(section.fileOffset.rawValue, section.byteCount)
      let view = try isGNU ? ElfCompressedSection(gnu: bytes) : ElfCompressedSection(bytes, fileClass)
      // Safe: the bytes are the file's, which `self` keeps.
      return unsafe _overrideLifetime(view, borrowing: self)
    }
  }
}
