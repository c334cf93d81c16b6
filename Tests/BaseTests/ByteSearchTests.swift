import Base
import Testing

@Suite struct ByteSearchTests {
  @Test func `the first byte of a range is found, and none outside of it`() {
    let bytes: [UInt8] = [7, 1, 2, 7, 3]
    #expect(bytes.borrowedBytes.firstIndex(of: 7, in: 0..<5) == 0)
    #expect(bytes.borrowedBytes.firstIndex(of: 7, in: 1..<5) == 3)
    #expect(bytes.borrowedBytes.firstIndex(of: 7, in: 1..<3) == nil)
    #expect(bytes.borrowedBytes.firstIndex(of: 3, in: 2..<90) == 4)
    #expect(bytes.borrowedBytes.firstIndex(of: 9, in: 0..<5) == nil)
    #expect(bytes.borrowedBytes.firstIndex(of: 7, in: 5..<9) == nil)
  }

  @Test func `memory that is given back reads as zero, the rest as it was filled`() throws {
    let memory = try SlidingMemory(byteCount: 1 << 20)
    memory.fill(0..<(1 << 20)) { buffer in for index in 0..<buffer.count { buffer[index] = 5 } }
    memory.release(0..<(1 << 19))
    #expect(memory.bytes.byte(at: 0) == 0)
    #expect(memory.bytes.byte(at: 1 << 19) == 5)
    #expect(memory.bytes.byte(at: 1 << 20 - 1) == 5)
  }
}
