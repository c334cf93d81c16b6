import ObjectFile

/// One section of call frames, `.eh_frame` or `.debug_frame`, and its common entries.
struct CallFrameSection: Sendable {
  enum Kind: Sendable {
    case ehFrame, debugFrame
  }
  /// Places in it are kept in 31 bits; the largest binaries have some 50 MB.
  static let maximumByteCount = 1 << 30

  let kind: Kind
  let bytes: FrameBytes
  let bases: PointerEncoding.Bases
  let registers: RegisterNames
  /// In the order of the section.
  private(set) var commonEntries: [CommonEntry] = []
  /// Of entries that were left out: unknown versions and augmentations, lengths that lie, addresses outside the file's code.
  private(set) var skippedCount = 0

  init(kind: Kind, bytes: FrameBytes, bases: PointerEncoding.Bases, registers: RegisterNames) {
    self.kind = kind
    self.bytes = bytes
    self.bases = bases
    self.registers = registers
  }

  /// Finds the functions of the section.
  /// - Parameters:
  ///   - index: this section's own, for `CodeBlock.part`.
  ///   - functionCount: how many there are when that is known, which also means that a zero length ends them.
  mutating func collect(into blocks: inout [CodeBlock], index: UInt16, code: CodeImage, functionCount: Int? = nil) {
    var position = 0
    let end = min(bytes.count, Self.maximumByteCount)
    var current = -1
    var common = CommonEntry()
    var found = 0
    while position < end {
      var reader = bytes.reader(from: position, to: end)
      var byteCount = UInt64(reader.read(UInt32.self))
      if byteCount == 0 {
        // The end for an unwinder; linkers leave some in the middle.
        if let functionCount, found >= functionCount { return }
        position += 4
        continue
      }
      let isWide = byteCount == 0xffff_ffff
      if isWide { byteCount = reader.read(UInt64.self) }
      let bodyStart = reader.position
      guard !reader.overran, byteCount <= UInt64(end - bodyStart) else {
        skippedCount += 1
        return
      }
      let next = bodyStart + Int(byteCount)
      var body = bytes.reader(from: bodyStart, to: next)
      let identity = kind == .debugFrame && isWide ? body.read(UInt64.self) : UInt64(body.read(UInt32.self))
      if isCommonEntry(identity, isWide: isWide) {
        if !body.overran, let common = CommonEntry(&body, at: position, self) {
          commonEntries.append(common)
        } else {
          skippedCount += 1
        }
      } else {
        found += 1
        if let place = commonOffset(identity, bodyStart), findCommon(place, &current, &common),
          let block = function(&body, common, UInt32(current), part: index, code), code.contains(block.start, block.end)
        {
          blocks.append(block)
        } else {
          skippedCount += 1
        }
      }
      position = next
    }
  }

  @inline(__always) private func isCommonEntry(_ identity: UInt64, isWide: Bool) -> Bool {
    switch kind {
    case .ehFrame: identity == 0
    case .debugFrame: identity == (isWide ? .max : 0xffff_ffff)
    }
  }

  /// Where the common entry of a function's entry begins.
  @inline(__always) private func commonOffset(_ identity: UInt64, _ bodyStart: Int) -> Int? {
    switch kind {
    case .ehFrame: identity <= UInt64(bodyStart) ? bodyStart - Int(identity) : nil
    case .debugFrame: Int(exactly: identity)
    }
  }

  /// Makes the common entry at `offset`, which must stand before the function's, the current one; `false` when there is none.
  @inline(__always) private func findCommon(_ offset: Int, _ current: inout Int, _ common: inout CommonEntry) -> Bool {
    if current >= 0, common.offset == offset { return true }
    var low = 0
    var high = commonEntries.count
    while low < high {
      let middle = (low + high) / 2
      if commonEntries[middle].offset < offset { low = middle + 1 } else { high = middle }
    }
    guard low < commonEntries.count, commonEntries[low].offset == offset else { return false }
    current = low
    common = commonEntries[low]
    return true
  }

  @inline(__always) private func function(
    _ reader: inout FrameReader, _ common: CommonEntry, _ index: UInt32, part: UInt16, _ code: CodeImage
  ) -> CodeBlock? {
    guard var start = common.pointerEncoding.pointer(&reader, bases, addressByteCount: common.addressByteCount),
      let byteCount = common.pointerEncoding.number(&reader, addressByteCount: common.addressByteCount)
    else { return nil }
    if common.hasAugmentationData { reader.skip(reader.uleb128()) }
    let (end, overflow) = start.addingReportingOverflow(byteCount)
    guard !reader.overran, !overflow, end > start else { return nil }
    if common.isSignalFrame {
      // A handler returns to its first byte, and return addresses are looked up one byte early. Some entries begin there already.
      if !SignalTrampoline.begins(at: start &+ 1, code) { start &-= 1 }
      let end = registers.link == nil ? end : SignalTrampoline.end(ofRuleFor: end, .aarch64, code)
      return CodeBlock(start: start, end: end, source: .constant, part: RuleNumber.signal)
    }
    return CodeBlock(
      start: start, end: end, source: .callFrames, part: part, common: index, from: UInt32(reader.position),
      to: UInt32(reader.end))
  }
}
