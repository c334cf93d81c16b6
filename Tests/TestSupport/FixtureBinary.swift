import Base

/// The committed binaries, `fixtures/binaries`.
package enum FixtureBinary {
  package static let names = [
    "edges", "pie", "linked", "linked.debug", "compressed", "libversioned.so", "libarm.so", "liblld.so", "lib32.so",
  ]

  package static func path(_ name: String) -> String { Fixture.path("binaries/" + name) }

  package static func bytes(_ name: String) throws -> [UInt8] {
    try contents(of: path(name), limit: 1 << 20)
  }

  /// The same file without its section headers, as `sstrip` leaves it.
  package static func withoutSectionHeaders(_ name: String) throws -> [UInt8] {
    var bytes = try bytes(name)
    for index in 40..<48 { bytes[index] = 0 }  // e_shoff
    for index in 58..<64 { bytes[index] = 0 }  // e_shentsize, e_shnum, e_shstrndx
    return bytes
  }
}
