/// `DW_TAG_…` (DWARF 5, table 7.3): the ones that are told apart here.
struct Tag: Hashable, Sendable {
  let rawValue: UInt16
  init(_ rawValue: UInt16) { self.rawValue = rawValue }
  static let arrayType = Tag(0x01)
  static let classType = Tag(0x02)
  static let enumerationType = Tag(0x04)
  static let lexicalBlock = Tag(0x0b)
  static let compileUnit = Tag(0x11)
  static let structureType = Tag(0x13)
  static let unionType = Tag(0x17)
  static let inlinedSubroutine = Tag(0x1d)
  static let module = Tag(0x1e)
  static let catchBlock = Tag(0x25)
  static let subprogram = Tag(0x2e)
  static let tryBlock = Tag(0x32)
  static let interfaceType = Tag(0x38)
  static let namespace = Tag(0x39)
  static let partialUnit = Tag(0x3c)
  static let typeUnit = Tag(0x41)
  static let skeletonUnit = Tag(0x4a)

  var isType: Bool {
    switch self {
    case .classType, .structureType, .unionType, .enumerationType, .interfaceType: true
    default: false
    }
  }
  var isUnit: Bool { self == .compileUnit || self == .partialUnit || self == .typeUnit || self == .skeletonUnit }
}

/// `DW_AT_…` (DWARF 5, table 7.5, and the GNU and MIPS extensions).
struct Attribute: Hashable, Sendable {
  let rawValue: UInt16
  init(_ rawValue: UInt16) { self.rawValue = rawValue }
  static let sibling = Attribute(0x01)
  static let name = Attribute(0x03)
  static let statementList = Attribute(0x10)
  static let lowPC = Attribute(0x11)
  static let highPC = Attribute(0x12)
  static let language = Attribute(0x13)
  static let compilationDirectory = Attribute(0x1b)
  static let abstractOrigin = Attribute(0x31)
  static let declarationLine = Attribute(0x3b)
  static let specification = Attribute(0x47)
  static let ranges = Attribute(0x55)
  static let callColumn = Attribute(0x57)
  static let callFile = Attribute(0x58)
  static let callLine = Attribute(0x59)
  static let linkageName = Attribute(0x6e)
  static let stringOffsetsBase = Attribute(0x72)
  static let addressBase = Attribute(0x73)
  static let rangeListsBase = Attribute(0x74)
  static let splitName = Attribute(0x76)
  static let mipsLinkageName = Attribute(0x2007)
  static let gnuSplitName = Attribute(0x2130)
  static let gnuSplitID = Attribute(0x2131)
  static let gnuRangesBase = Attribute(0x2132)
  static let gnuAddressBase = Attribute(0x2133)
}

/// `DW_FORM_…` (DWARF 5, table 7.6, and the GNU extensions).
enum Form {
  static let addr: UInt16 = 0x01
  static let block2: UInt16 = 0x03
  static let block4: UInt16 = 0x04
  static let data2: UInt16 = 0x05
  static let data4: UInt16 = 0x06
  static let data8: UInt16 = 0x07
  static let string: UInt16 = 0x08
  static let block: UInt16 = 0x09
  static let block1: UInt16 = 0x0a
  static let data1: UInt16 = 0x0b
  static let flag: UInt16 = 0x0c
  static let sdata: UInt16 = 0x0d
  static let strp: UInt16 = 0x0e
  static let udata: UInt16 = 0x0f
  static let refAddr: UInt16 = 0x10
  static let ref1: UInt16 = 0x11
  static let ref2: UInt16 = 0x12
  static let ref4: UInt16 = 0x13
  static let ref8: UInt16 = 0x14
  static let refUdata: UInt16 = 0x15
  static let indirect: UInt16 = 0x16
  static let secOffset: UInt16 = 0x17
  static let exprloc: UInt16 = 0x18
  static let flagPresent: UInt16 = 0x19
  static let strx: UInt16 = 0x1a
  static let addrx: UInt16 = 0x1b
  static let refSup4: UInt16 = 0x1c
  static let strpSup: UInt16 = 0x1d
  static let data16: UInt16 = 0x1e
  static let lineStrp: UInt16 = 0x1f
  static let refSig8: UInt16 = 0x20
  static let implicitConst: UInt16 = 0x21
  static let loclistx: UInt16 = 0x22
  static let rnglistx: UInt16 = 0x23
  static let refSup8: UInt16 = 0x24
  static let strx1: UInt16 = 0x25
  static let strx2: UInt16 = 0x26
  static let strx3: UInt16 = 0x27
  static let strx4: UInt16 = 0x28
  static let addrx1: UInt16 = 0x29
  static let addrx2: UInt16 = 0x2a
  static let addrx3: UInt16 = 0x2b
  static let addrx4: UInt16 = 0x2c
  static let gnuAddrIndex: UInt16 = 0x1f01
  static let gnuStrIndex: UInt16 = 0x1f02
  static let gnuRefAlt: UInt16 = 0x1f20
  static let gnuStrpAlt: UInt16 = 0x1f21
}
