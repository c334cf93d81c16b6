@testable import Profile
import Testing

@Test func `what is compressed comes back`() throws {
  for count in [0, 1, 1000, 300_000] {
    let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 3) }
    #expect(try Gzip.decompress(Gzip.compress(bytes), limit: count) == bytes)
  }
}

@Test func `the header has no time, so equal input gives equal bytes`() {
  let bytes = Gzip.compress([1, 2, 3])
  #expect(Array(bytes[4..<8]) == [0, 0, 0, 0])  // MTIME, RFC 1952 section 2.3.1
  #expect(bytes == Gzip.compress([1, 2, 3]))
}

@Test func `members one after another are one stream`() throws {
  #expect(try Gzip.decompress(Gzip.compress([1, 2]) + Gzip.compress([3]), limit: 10) == [1, 2, 3])
}

@Test func `a small file that would become a big one stops at the limit`() {
  let bomb = Gzip.compress([UInt8](repeating: 0, count: 1 << 20))
  #expect(throws: ProfileError.overLimit(what: "bytes when decompressed", limit: 1000)) {
    try Gzip.decompress(bomb, limit: 1000)
  }
}

@Test func `gzip data cut at any length is an error`() {
  let whole = Gzip.compress((0..<500).map { UInt8(truncatingIfNeeded: $0 &* 7) })
  for length in 0..<whole.count {
    #expect(throws: ProfileError.self) { try Gzip.decompress(Array(whole[..<length]), limit: 1000) }
  }
}
