/// A common information entry (DWARF 5, section 6.4.1; Linux Standard Base Core, section 10.6.1.1).
struct CommonEntry: Sendable {
  /// Bytes from the start of the section.
  var offset = 0
  var codeAlignment: UInt64 = 1
  var dataAlignment: Int64 = 1
  var returnAddressColumn: UInt64 = 0
  /// Of an `absptr`.
  var addressByteCount = 8
  var pointerEncoding = PointerEncoding.absolute
  /// `z`: every function's entry has data of a stated length before its instructions.
  var hasAugmentationData = false
  /// `S`: a signal handler's frame.
  var isSignalFrame = false
  /// After the initial instructions.
  var initial = FrameState()

  /// Longer ones are no compiler's.
  static let maximumAugmentationByteCount = 16

  init() {}

  /// - Parameter reader: after the entry's identification, ending with the entry.
  /// - Returns: `nil` for an entry of an unknown version or augmentation, or one cut short.
  init?(_ reader: inout FrameReader, at offset: Int, _ section: CallFrameSection) {
    self.offset = offset
    let version = reader.byte()
    guard version == 1 || version == 3 || version == 4 else { return nil }
    var augmentation: [UInt8] = []
    while true {
      let letter = reader.byte()
      if letter == 0 { break }
      guard augmentation.count < Self.maximumAugmentationByteCount else { return nil }
      augmentation.append(letter)
    }
    if reader.overran { return nil }
    if augmentation.starts(with: "eh".utf8) { reader.skip(8) }  // GCC before 3.0
    if version == 4 {
      addressByteCount = Int(reader.byte())
      guard addressByteCount == 8 || addressByteCount == 4, reader.byte() == 0 else { return nil }
    }
    codeAlignment = reader.uleb128()
    dataAlignment = reader.sleb128()
    returnAddressColumn = version == 1 ? UInt64(reader.byte()) : reader.uleb128()
    if augmentation.first == UInt8(ascii: "z") {
      hasAugmentationData = true
      let byteCount = reader.uleb128()
      guard byteCount <= UInt64(max(reader.end - reader.position, 0)) else { return nil }
      let end = reader.position + Int(byteCount)
      var data = reader.bytes.reader(from: reader.position, to: end)
      for letter in augmentation.dropFirst() {
        switch letter {
        case UInt8(ascii: "L"): _ = data.byte()
        case UInt8(ascii: "R"): pointerEncoding = PointerEncoding(rawValue: data.byte())
        case UInt8(ascii: "P"):
          let encoding = PointerEncoding(rawValue: data.byte())
          if encoding != .omitted, encoding.number(&data, addressByteCount: addressByteCount) == nil { return nil }
        case UInt8(ascii: "S"): isSignalFrame = true
        case UInt8(ascii: "B"), UInt8(ascii: "G"): break  // aarch64: return addresses signed with key B; tagged stack
        default: return nil
        }
      }
      if data.overran { return nil }
      reader.skip(byteCount)
    } else if !augmentation.isEmpty, !augmentation.starts(with: "eh".utf8) {
      return nil
    }
    if reader.overran { return nil }
    var rows = NoRows()
    var program = FrameProgram(section: section, common: self)
    program.run(from: reader.position, to: reader.end, at: 0, before: .max, into: &rows)
    if rows.isUnknown { return nil }
    initial = program.state
  }
}
