/// The chance that a bit is 0, in 4096ths, as learned from the bits before it under the same circumstances.
struct AdaptiveBit {
  static let one: UInt32 = 4096
  private static let rate: UInt32 = 4
  /// Never 0 and never `one`: the learning stops 15 short of either.
  private(set) var zeroes: UInt16 = 2048

  @inline(__always) mutating func learn(_ bit: Bool) {
    if bit {
      zeroes &-= zeroes &>> UInt16(Self.rate)
    } else {
      zeroes &+= (UInt16(Self.one) &- zeroes) &>> UInt16(Self.rate)
    }
  }
}

/// One direction of the binary range coder. A description of a column asks it to code every number; the encoder
/// writes the number it is given and gives it back, the decoder ignores it and gives back the one it reads.
/// So one description serves both and they cannot differ.
protocol BinaryCoder {
  /// Whether a decoder was asked for more than it has; an encoder never is.
  var isOverrun: Bool { get }
  mutating func code(_ bit: Bool, _ model: inout AdaptiveBit) -> Bool
  /// The lowest `count` bits of `value`, at most 32, each as likely 0 as 1.
  mutating func codeRaw(_ value: UInt64, count: Int) -> UInt64
}

/// Raw bits coded in one step: the range, at least 2^24 between steps, must not run out.
private let rawPieceBits = 12

/// Writes bits at the cost of what was not expected of them: an arithmetic coder with carry, as in LZMA.
struct RangeEncoder: BinaryCoder {
  private var low: UInt64 = 0
  private var range: UInt32 = .max
  /// The byte that a carry may still change, `nil` before the first, and how many 0xff follow it.
  private var held: UInt8?
  private var heldCount = 0
  private var output: [UInt8] = []
  var isOverrun: Bool { false }

  init(capacity: Int) { output.reserveCapacity(capacity) }

  @inline(__always) mutating func code(_ bit: Bool, _ model: inout AdaptiveBit) -> Bool {
    let bound = (range &>> 12) &* UInt32(model.zeroes)
    if bit {
      low &+= UInt64(bound)
      range &-= bound
    } else {
      range = bound
    }
    model.learn(bit)
    while range < 1 << 24 {
      range &<<= 8
      shift()
    }
    return bit
  }

  mutating func codeRaw(_ value: UInt64, count: Int) -> UInt64 {
    var left = count
    while left > 0 {
      let piece = min(left, rawPieceBits)
      left &-= piece
      range &>>= UInt32(truncatingIfNeeded: piece)
      low &+= UInt64(range) &* (value &>> UInt64(left) & (1 &<< UInt64(piece) &- 1))
      while range < 1 << 24 {
        range &<<= 8
        shift()
      }
    }
    return value
  }

  private mutating func shift() {
    if low < 0xff00_0000 || low > 0xffff_ffff {
      let carry = UInt8(truncatingIfNeeded: low &>> 32)
      if let held { output.append(held &+ carry) }
      while heldCount > 0 {
        output.append(0xff &+ carry)
        heldCount &-= 1
      }
      held = UInt8(truncatingIfNeeded: low &>> 24)
    } else {
      heldCount &+= 1
    }
    low = (low & 0x00ff_ffff) &<< 8
  }

  /// Everything coded, and the four bytes that a decoder begins with reading.
  consuming func finish() -> [UInt8] {
    for _ in 0..<5 { shift() }
    return output
  }
}

/// Reads what `RangeEncoder` wrote.
struct RangeDecoder: BinaryCoder {
  private let bytes: [UInt8]
  private var position = 0
  private var range: UInt32 = .max
  private var value: UInt32 = 0
  /// Whether more was asked for than there is: what came out since is made up.
  private(set) var isOverrun = false

  init(_ bytes: [UInt8]) {
    self.bytes = bytes
    for _ in 0..<4 { next() }
  }

  /// Whether every byte was used.
  var isAtEnd: Bool { position == bytes.count }

  @inline(__always) private mutating func next() {
    if position < bytes.count {
      value = value &<< 8 | UInt32(bytes[position])
      position &+= 1
    } else {
      isOverrun = true
      value &<<= 8
    }
  }

  @inline(__always) mutating func code(_ bit: Bool, _ model: inout AdaptiveBit) -> Bool {
    let bound = (range &>> 12) &* UInt32(model.zeroes)
    let read = value >= bound
    if read {
      value &-= bound
      range &-= bound
    } else {
      range = bound
    }
    model.learn(read)
    while range < 1 << 24 {
      range &<<= 8
      next()
    }
    return read
  }

  mutating func codeRaw(_ ignored: UInt64, count: Int) -> UInt64 {
    var result: UInt64 = 0
    var left = count
    while left > 0 {
      let piece = min(left, rawPieceBits)
      left &-= piece
      range &>>= UInt32(truncatingIfNeeded: piece)
      // The range is at least 4096 here. Damaged input can ask for more than the piece holds.
      let read = min(value / range, 1 &<< UInt32(truncatingIfNeeded: piece) &- 1)
      value &-= read &* range
      result = result &<< UInt64(piece) | UInt64(read)
      while range < 1 << 24 {
        range &<<= 8
        next()
      }
    }
    return result
  }
}
