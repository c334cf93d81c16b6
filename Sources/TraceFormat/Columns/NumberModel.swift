/// How large the numbers of one column tend to be: the count of bits is learned, and the two bits below the highest one.
struct NumberModel {
  // 16 for a length below 15, 64 for a longer one, then 4 for each of 65 lengths. Inline: no allocation, no reference.
  private var bits = InlineArray<340, AdaptiveBit>(repeating: AdaptiveBit())

  /// Any 64-bit number; small ones are short.
  @inline(__always)
  mutating func code(_ value: UInt64, _ coder: inout some BinaryCoder) -> UInt64 {
    let length = 64 &- value.leadingZeroBitCount
    var read = tree(min(length, 15), bits: 4, at: 0, &coder)
    if read == 15 { read = min(15 &+ tree(length &- 15, bits: 6, at: 16, &coder), 64) }
    guard read > 1 else { return UInt64(read) }
    // Below the highest bit, which is 1.
    let rest = read &- 1
    let modelled = min(rest, 2)
    let start = 80 &+ 4 &* read
    let plain = rest &- modelled
    let top = tree(Int(truncatingIfNeeded: (value &>> UInt64(plain)) & (1 &<< UInt64(modelled) &- 1)), bits: modelled, at: start, &coder)
    var result = 1 &<< UInt64(modelled) | UInt64(top)
    var left = plain
    while left > 0 {
      let count = min(left, 32)
      left &-= count
      let piece = (value &>> UInt64(left)) & (1 &<< UInt64(count) &- 1)
      result = result &<< UInt64(count) | coder.codeRaw(piece, count: count)
    }
    return result
  }

  /// A signed number, by zigzag.
  @inline(__always)
  mutating func codeDifference(_ value: UInt64, from base: UInt64, _ coder: inout some BinaryCoder) -> UInt64 {
    base &+ Self.unzigzag(code(Self.zigzag(value &- base), &coder))
  }

  @inline(__always)
  private mutating func tree(_ value: Int, bits count: Int, at start: Int, _ coder: inout some BinaryCoder) -> Int {
    var node = 1
    var left = count
    while left > 0 {
      left &-= 1
      let bit = coder.code(value &>> left & 1 == 1, &bits[start &+ node])
      node = node &<< 1 | (bit ? 1 : 0)
    }
    return node &- 1 &<< count
  }

  static func zigzag(_ value: UInt64) -> UInt64 {
    let signed = Int64(bitPattern: value)
    return UInt64(bitPattern: signed &<< 1) ^ UInt64(bitPattern: signed &>> 63)
  }
  static func unzigzag(_ value: UInt64) -> UInt64 { (value &>> 1) ^ (0 &- (value & 1)) }
}

/// A byte whose values have no order, such as an enum's.
struct ByteModel {
  private var bits = InlineArray<256, AdaptiveBit>(repeating: AdaptiveBit())

  mutating func code(_ value: UInt8, _ coder: inout some BinaryCoder) -> UInt8 {
    var node = 1
    for left in (0..<8).reversed() {
      let bit = coder.code(value &>> left & 1 == 1, &bits[node])
      node = node &<< 1 | (bit ? 1 : 0)
    }
    return UInt8(truncatingIfNeeded: node)
  }
}
