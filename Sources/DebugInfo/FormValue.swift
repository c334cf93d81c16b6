import Base

/// An attribute's value as it stands, before any table is asked.
struct FormValue {
  enum Kind: UInt8 {
    case absent
    case constant
    case address
    /// Into `.debug_addr`, from the unit's base.
    case addressIndex
    /// Bytes from the unit's header.
    case unitReference
    /// Bytes into `.debug_info`.
    case fileReference
    /// Bytes into the alternate file's `.debug_info`.
    case alternateReference
    /// Bytes into `.debug_info`, of a string that stands in the entry.
    case inlineString
    case string
    case lineString
    /// Into `.debug_str_offsets`, from the unit's base.
    case stringIndex
    case alternateString
    /// Bytes into another section, which the attribute tells.
    case offset
    /// Into the unit's table of range lists.
    case rangeListIndex
    /// Of no use here: blocks, expressions, signatures.
    case other
  }
  var kind: Kind
  var number: UInt64

  static let absent = FormValue(kind: .absent, number: 0)

  @inline(__always) var isPresent: Bool { kind != .absent }
  /// A constant that fits, or 0.
  @inline(__always) var small: UInt32 { kind == .constant ? UInt32(exactly: number) ?? 0 : 0 }
  /// Bytes into a section: an offset proper, or a constant as versions 2 and 3 have it.
  @inline(__always) var sectionOffset: UInt64? { kind == .offset || kind == .constant ? number : nil }
}

extension DwarfCursor {
  /// The next value, of the given form.
  mutating func value(_ form: UInt16, constant: Int64, _ format: UnitFormat) -> FormValue {
    switch form {
    case Form.strp: FormValue(kind: .string, number: number(size: Int(format.offsetSize)))
    case Form.data1, Form.flag: FormValue(kind: .constant, number: UInt64(u8()))
    case Form.data2: FormValue(kind: .constant, number: UInt64(u16()))
    case Form.data4: FormValue(kind: .constant, number: UInt64(u32()))
    case Form.data8: FormValue(kind: .constant, number: u64())
    case Form.ref4: FormValue(kind: .unitReference, number: UInt64(u32()))
    case Form.secOffset: FormValue(kind: .offset, number: number(size: Int(format.offsetSize)))
    case Form.addr: FormValue(kind: .address, number: number(size: Int(format.addressSize)))
    case Form.implicitConst: FormValue(kind: .constant, number: UInt64(bitPattern: constant))
    case Form.udata: FormValue(kind: .constant, number: uleb())
    case Form.sdata: FormValue(kind: .constant, number: UInt64(bitPattern: sleb()))
    case Form.flagPresent: FormValue(kind: .constant, number: 1)
    case Form.string: inlineString()
    case Form.lineStrp: FormValue(kind: .lineString, number: number(size: Int(format.offsetSize)))
    case Form.strx, Form.gnuStrIndex: FormValue(kind: .stringIndex, number: uleb())
    case Form.strx1: FormValue(kind: .stringIndex, number: UInt64(u8()))
    case Form.strx2: FormValue(kind: .stringIndex, number: UInt64(u16()))
    case Form.strx3: FormValue(kind: .stringIndex, number: UInt64(u24()))
    case Form.strx4: FormValue(kind: .stringIndex, number: UInt64(u32()))
    case Form.addrx, Form.gnuAddrIndex: FormValue(kind: .addressIndex, number: uleb())
    case Form.addrx1: FormValue(kind: .addressIndex, number: UInt64(u8()))
    case Form.addrx2: FormValue(kind: .addressIndex, number: UInt64(u16()))
    case Form.addrx3: FormValue(kind: .addressIndex, number: UInt64(u24()))
    case Form.addrx4: FormValue(kind: .addressIndex, number: UInt64(u32()))
    case Form.rnglistx: FormValue(kind: .rangeListIndex, number: uleb())
    case Form.ref1: FormValue(kind: .unitReference, number: UInt64(u8()))
    case Form.ref2: FormValue(kind: .unitReference, number: UInt64(u16()))
    case Form.ref8: FormValue(kind: .unitReference, number: u64())
    case Form.refUdata: FormValue(kind: .unitReference, number: uleb())
    case Form.refAddr: FormValue(kind: .fileReference, number: number(size: Int(format.referenceSize)))
    case Form.gnuRefAlt: FormValue(kind: .alternateReference, number: number(size: Int(format.offsetSize)))
    case Form.refSup4: FormValue(kind: .alternateReference, number: UInt64(u32()))
    case Form.refSup8: FormValue(kind: .alternateReference, number: u64())
    case Form.gnuStrpAlt, Form.strpSup: FormValue(kind: .alternateString, number: number(size: Int(format.offsetSize)))
    case Form.indirect: indirect(format)
    default: other(form)
    }
  }

  private mutating func inlineString() -> FormValue {
    let start = position
    skipString()
    return FormValue(kind: .inlineString, number: UInt64(start))
  }

  /// The form stands before the value; an indirect form again, or one whose value is in the abbreviation, is damage.
  private mutating func indirect(_ format: UnitFormat) -> FormValue {
    let form = UInt16(exactly: uleb()) ?? 0
    guard form != Form.indirect, form != Form.implicitConst else {
      fail()
      return .absent
    }
    return value(form, constant: 0, format)
  }

  private mutating func other(_ form: UInt16) -> FormValue {
    switch form {
    case Form.exprloc, Form.block: skip(uleb())
    case Form.block1: skip(Int(u8()))
    case Form.block2: skip(Int(u16()))
    case Form.block4: skip(Int(u32()))
    case Form.data16: skip(16)
    case Form.refSig8: skip(8)
    case Form.loclistx: _ = uleb()
    default: fail()
    }
    return FormValue(kind: .other, number: 0)
  }

  /// Goes past a value whose size the form does not say.
  mutating func skipVariable(_ form: UInt16, _ format: UnitFormat) {
    switch form {
    case Form.exprloc, Form.block: skip(uleb())
    case Form.block1: skip(Int(u8()))
    case Form.string: skipString()
    case Form.udata, Form.sdata, Form.strx, Form.addrx, Form.refUdata, Form.loclistx, Form.rnglistx, Form.gnuAddrIndex,
      Form.gnuStrIndex:
      _ = uleb()
    default: _ = value(form, constant: 0, format)
    }
  }

  @inline(__always) mutating func skip(_ spec: AttributeSpec, _ format: UnitFormat) {
    if spec.size != AttributeSpec.variable { skip(Int(spec.size)) } else { skipVariable(spec.form, format) }
  }
}
