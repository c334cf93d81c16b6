import Base

/// How wide the fields of a unit are; the same for all of its entries.
struct UnitFormat: Hashable, Sendable {
  var version: UInt16
  /// Bytes of an address: 1, 2, 4 or 8.
  var addressSize: UInt8
  /// Bytes of an offset: 4, or 8 in 64-bit DWARF.
  var offsetSize: UInt8

  /// Bytes of a `DW_FORM_ref_addr`, which version 2 stores as an address.
  var referenceSize: UInt8 { version <= 2 ? addressSize : offsetSize }

  /// Bytes the form takes; `nil` when the entry itself says.
  func fixedSize(of form: UInt16) -> UInt8? {
    switch form {
    case Form.addr: addressSize
    case Form.data1, Form.flag, Form.ref1, Form.strx1, Form.addrx1: 1
    case Form.data2, Form.ref2, Form.strx2, Form.addrx2: 2
    case Form.strx3, Form.addrx3: 3
    case Form.data4, Form.ref4, Form.strx4, Form.addrx4, Form.refSup4: 4
    case Form.data8, Form.ref8, Form.refSig8, Form.refSup8: 8
    case Form.data16: 16
    case Form.flagPresent, Form.implicitConst: 0
    case Form.strp, Form.lineStrp, Form.secOffset, Form.strpSup, Form.gnuRefAlt, Form.gnuStrpAlt: offsetSize
    case Form.refAddr: referenceSize
    default: nil
    }
  }
}

/// One attribute of an abbreviation (DWARF 5, section 7.5.3).
struct AttributeSpec {
  var attribute: Attribute
  var form: UInt16
  /// Bytes of the value; `variable` when the entry itself says.
  var size: UInt8
  /// Of `DW_FORM_implicit_const`.
  var constant: Int64

  static let variable: UInt8 = 0xff
}

/// What the walk over a unit does with an entry.
enum EntryRole: UInt8 {
  /// Nothing; its children are of no interest either.
  case other
  /// Nothing; functions may stand below it.
  case scope
  /// A type: functions stand below it in some languages.
  case type
  case function
  case inlined
  case block

  init(_ tag: Tag) {
    switch tag {
    case .subprogram: self = .function
    case .inlinedSubroutine: self = .inlined
    case .lexicalBlock, .tryBlock, .catchBlock: self = .block
    case .namespace, .module: self = .scope
    default: self = tag.isUnit ? .scope : tag.isType ? .type : .other
    }
  }
}

struct Abbreviation {
  var code: UInt64
  var tag: Tag
  var role: EntryRole
  var hasChildren: Bool
  /// In `AbbreviationTable.specs`.
  var firstSpec: Int32
  var specCount: Int32
  /// Bytes of all attributes together; -1 when that differs from entry to entry.
  var byteCount: Int32
  /// Bytes from the attributes' start to a `DW_AT_sibling` of form `ref4`; -1 when there is none at a fixed place.
  var siblingOffset: Int32
}

/// The abbreviations of one table of `.debug_abbrev`, compiled for one format.
struct AbbreviationTable {
  /// A table of a large C++ unit has about 300 abbreviations of 10 attributes.
  static let maximumSpecCount = 1 << 18

  private(set) var entries: [Abbreviation] = []
  private(set) var specs: [AttributeSpec] = []
  /// Bytes it was read from.
  private(set) var byteCount = 0
  /// The index of `entries` by code where codes are dense, as every compiler makes them; -1 for none.
  private var byCode: [Int32] = []
  private var sparse: [UInt64: Int32] = [:]

  /// Damaged bytes end the table early.
  /// - Parameter end: where the next table starts: what is known to end sooner takes no longer.
  init(_ section: RawSpan, at offset: UInt64, _ format: UnitFormat, end: UInt64 = .max) {
    guard let start = Int(exactly: offset) else { return }
    var cursor = DwarfCursor(section, from: start, to: Int(clamping: end))
    var highest: UInt64 = 0
    entries.reserveCapacity(128)
    specs.reserveCapacity(1024)
    while specs.count < Self.maximumSpecCount, entries.count < Self.maximumSpecCount {
      let code = cursor.uleb()
      guard code != 0, !cursor.hasFailed else { break }
      let tag = Tag(UInt16(truncatingIfNeeded: cursor.uleb()))
      let hasChildren = cursor.u8() != 0
      let first = specs.count
      var byteCount: Int32 = 0
      var siblingOffset: Int32 = -1
      while specs.count < Self.maximumSpecCount {
        let attribute = cursor.uleb()
        let form = cursor.uleb()
        if attribute == 0 && form == 0 { break }
        let small = UInt16(exactly: form) ?? 0
        let constant = small == Form.implicitConst ? cursor.sleb() : 0
        if cursor.hasFailed { break }
        let spec = AttributeSpec(
          attribute: Attribute(UInt16(exactly: attribute) ?? 0), form: small,
          size: format.fixedSize(of: small) ?? AttributeSpec.variable, constant: constant)
        if byteCount >= 0 {
          if spec.attribute == .sibling, small == Form.ref4 { siblingOffset = byteCount }
          byteCount = spec.size == AttributeSpec.variable ? -1 : byteCount &+ Int32(spec.size)
        }
        specs.append(spec)
      }
      if cursor.hasFailed { break }
      entries.append(
        Abbreviation(
          code: code, tag: tag, role: EntryRole(tag), hasChildren: hasChildren, firstSpec: Int32(first),
          specCount: Int32(specs.count - first), byteCount: byteCount, siblingOffset: siblingOffset))
      highest = max(highest, code)
    }
    byteCount = cursor.position - min(start, cursor.position)
    index(highest)
  }

  private mutating func index(_ highest: UInt64) {
    // Of two abbreviations of one code the first counts.
    if highest <= UInt64(entries.count) * 4 + 64 {
      byCode = [Int32](repeating: -1, count: Int(highest) + 1)
      for (index, entry) in entries.enumerated() where byCode[Int(entry.code)] < 0 { byCode[Int(entry.code)] = Int32(index) }
    } else {
      for (index, entry) in entries.enumerated() where sparse[entry.code] == nil { sparse[entry.code] = Int32(index) }
    }
  }

  /// The index in `entries`; -1 for a code the table does not have.
  @inline(__always) func index(of code: UInt64) -> Int {
    if code < UInt64(byCode.count) { return Int(byCode[Int(code)]) }
    return sparse.isEmpty ? -1 : Int(sparse[code] ?? -1)
  }
}
