import Base
import Symbolize

/// Bytes of the committed binaries, and ways to damage them.
enum Fixture {
  static let names = ["edges", "pie", "linked", "linked.debug", "compressed", "libversioned.so", "libarm.so", "liblld.so", "lib32.so"]

  /// The path of a file in `fixtures/binaries`.
  static func path(_ name: String, file: String = #filePath) -> String {
    let root = file.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(separator: "/")
    return root + "/fixtures/binaries/" + name
  }

  static func bytes(_ name: String) throws -> [UInt8] {
    try contents(of: path(name), limit: 1 << 20)
  }

  static func image(_ name: String) throws -> ImageBytes { try ImageBytes(bytes(name)) }

  /// The same file without its section headers, as `sstrip` leaves it.
  static func withoutSectionHeaders(_ name: String) throws -> [UInt8] {
    var bytes = try bytes(name)
    for index in 40..<48 { bytes[index] = 0 }  // e_shoff
    for index in 58..<64 { bytes[index] = 0 }  // e_shentsize, e_shnum, e_shstrndx
    return bytes
  }
}

/// Repeatable random numbers (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64
  init(seed: UInt64) { state = seed }
  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var value = state
    value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
    value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
    return value ^ (value >> 31)
  }
}
