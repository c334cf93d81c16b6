import Base
import ObjectFile

/// The bytes of a whole file, shared by everything that reads from it.
package protocol SharedBytes: AnyObject, Sendable {
  var bytes: RawSpan {
    @_lifetime(borrow self) get
  }
}

/// Bytes of our own: a section that was inflated.
///
/// `@unchecked Sendable`: the memory is private and nobody writes to it.
@safe final class OwnedBytes: SharedBytes, @unchecked Sendable {
  private let memory: UnsafeMutableRawBufferPointer

  init(_ bytes: [UInt8]) {
    unsafe memory = .allocate(byteCount: max(1, bytes.count), alignment: 16)
    unsafe memory.copyBytes(from: bytes)
  }

  deinit { unsafe memory.deallocate() }

  var bytes: RawSpan {
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
    case info, abbreviations, line, lineStrings, strings, stringOffsets, addresses, ranges, rangeLists, addressRanges

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
      }
    }
  }
  /// By `Name`.
  private var sections: [SectionBytes]

  init(_ file: any SharedBytes) throws(MalformedInput) {
    let elf = try ElfFile(file.bytes)
    sections = []
    for name in Name.allCases {
      var found = SectionBytes(file, 0, 0)
      if let section = elf.section(named: name.text)?.section, section.kind != .noBits {
        if section.isCompressed {
          let inflated = try elf.inflatedContents(of: section)
          found = SectionBytes(OwnedBytes(inflated), 0, UInt64(inflated.count))
        } else {
          found = SectionBytes(file, section.fileOffset.rawValue, section.byteCount)
        }
      }
      sections.append(found)
    }
  }

  var isEmpty: Bool { sections[Name.info.rawValue].count == 0 }

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
