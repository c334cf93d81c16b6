import Base
import ObjectFile

/// The parts of a function that compilers put elsewhere: what is seldom run, or often.
enum FunctionParts {
  /// Parts of the function in `range`, found without symbols: where it jumps out of itself, into code whose frame is set up
  /// already and that jumps back.
  static func elsewhere(_ range: AddressRange<InImage>, _ file: ElfFile, limit: Int) -> [AddressRange<InImage>] {
    #if arch(x86_64)
      guard let ranges = ElfFunctionRanges(file) else { return [] }
      var found: [AddressRange<InImage>] = []
      var tries = 0
      for target in jumps(out: range, file) {
        guard found.count < limit, tries < maximumTries else { break }
        if found.contains(where: { $0.contains(target) }) { continue }
        guard let part = ranges.range(at: target), part.isContinuation, !part.addresses.contains(range.start) else { continue }
        tries += 1
        let back = jumps(out: part.addresses, file)
        guard back.contains(where: { range.contains($0) }) else { continue }
        found.append(part.addresses)
      }
      return found
    #else
      return []
    #endif
  }

  static let maximumByteCount: UInt64 = 4 << 20
  /// Parts looked at: of those that are none, most are one that looks like the target of a jump.
  private static let maximumTries = 32

  /// Where the 32-bit relative jumps in `range` lead that leave it; among them some that only look like jumps.
  private static func jumps(out range: AddressRange<InImage>, _ file: ElfFile) -> [ImageAddress] {
    guard range.byteCount <= maximumByteCount else { return [] }
    let code = file.bytes(at: range.start, range.byteCount)
    var targets: [ImageAddress] = []
    var at = 0
    while at + 6 <= code.byteCount {
      let first = code.byte(at: at)
      var operand = 0
      // JMP rel32, Jcc rel32
      if first == 0xe9 {
        operand = at + 1
      } else if first == 0x0f, (code.byte(at: at + 1) ?? 0) & 0xf0 == 0x80 {
        operand = at + 2
      }
      if operand > 0, operand + 4 <= code.byteCount {
        var displacement: UInt32 = 0
        for place in (0..<4).reversed() { displacement = displacement << 8 | UInt32(code.byte(at: operand + place) ?? 0) }
        let next = range.start.rawValue &+ UInt64(operand) &+ 4
        let target = ImageAddress(next &+ UInt64(bitPattern: Int64(Int32(bitPattern: displacement))))
        if !range.contains(target), file.isExecutable(target) { targets.append(target) }
      }
      at += 1
    }
    return targets
  }
}

extension ElfFile {
  /// Whether a segment that is mapped executable holds `address`.
  fileprivate func isExecutable(_ address: ImageAddress) -> Bool {
    segments.contains { segment in
      segment.kind == .load && segment.isExecutable
        && (address.distance(from: segment.address).map { $0 < segment.fileByteCount } ?? false)
    }
  }
}
