import Base

/// One executable line of `/proc/PID/maps` (proc(5)).
struct ProcessMap: Equatable {
  var start: UInt64
  var end: UInt64
  var protection: UInt8
  var fileOffset: UInt64
  var device: UInt64
  var inode: UInt64
  /// As printed, ` (deleted)` and all; empty for anonymous memory.
  var path: String

  /// The executable mappings in `text`, in the order of their addresses; lines that do not parse are passed over.
  static func executable(in text: [UInt8]) -> [ProcessMap] {
    var maps: [ProcessMap] = []
    var start = 0
    while start < text.count {
      // Most lines are of no interest: the third flag after the first blank says so.
      var blank = start
      while blank < text.count, text[blank] != UInt8(ascii: " "), text[blank] != UInt8(ascii: "\n") { blank &+= 1 }
      var end = blank
      while end < text.count, text[end] != UInt8(ascii: "\n") { end &+= 1 }
      if blank &+ 3 < end, text[blank &+ 3] == UInt8(ascii: "x"), let map = parse(text[start..<end]) { maps.append(map) }
      start = end &+ 1
    }
    return maps
  }

  private static func parse(_ line: ArraySlice<UInt8>) -> ProcessMap? {
    // 7f0000000000-7f0000001000 r-xp 00000000 fe:01 1234          /path with blanks
    var rest = line
    guard let start = hex(&rest), rest.popFirst() == UInt8(ascii: "-"), let end = hex(&rest), start <= end,
      rest.popFirst() == UInt8(ascii: " "), rest.count >= 5
    else { return nil }
    let flags = Array(rest.prefix(4))
    guard flags[2] == UInt8(ascii: "x") else { return nil }
    rest = rest.dropFirst(5)
    guard let offset = hex(&rest), rest.popFirst() == UInt8(ascii: " "), let major = hex(&rest),
      rest.popFirst() == UInt8(ascii: ":"), let minor = hex(&rest), rest.popFirst() == UInt8(ascii: " ")
    else { return nil }
    var inode: UInt64 = 0
    while let digit = rest.first, digit >= 0x30, digit <= 0x39 {
      inode = inode &* 10 &+ UInt64(digit - 0x30)
      rest = rest.dropFirst()
    }
    let path = rest.drop { $0 == UInt8(ascii: " ") }
    var protection: UInt8 = 4
    if flags[0] == UInt8(ascii: "r") { protection |= 1 }
    if flags[1] == UInt8(ascii: "w") { protection |= 2 }
    return ProcessMap(
      start: start, end: end, protection: protection, fileOffset: offset, device: major << 32 | minor, inode: inode,
      path: String(decoding: path, as: UTF8.self))
  }

  private static func hex(_ text: inout ArraySlice<UInt8>) -> UInt64? {
    var value: UInt64 = 0
    var digits = 0
    while let digit = text.first {
      let number: UInt8
      switch digit {
      case 0x30...0x39: number = digit - 0x30
      case 0x61...0x66: number = digit - 0x61 + 10
      default: return digits > 0 ? value : nil
      }
      guard digits < 16 else { return nil }
      value = value << 4 | UInt64(number)
      digits += 1
      text = text.dropFirst()
    }
    return digits > 0 ? value : nil
  }
}
