import Base
import Glibc
@testable import Java
import TestSupport
import Testing

@Suite struct `an agent's recording` {
  /// A finished chunk of `count` bytes in all.
  private func chunk(_ count: Int) -> [UInt8] {
    var bytes = Array("FLR\0".utf8) + [0, 2, 0, 0]
    for value: UInt64 in [UInt64(count), 68, 68, 1, 1, 1, 1_000_000_000] {
      for shift in stride(from: 56, through: 0, by: -8) { bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(shift))) }
    }
    return bytes + [0, 0, 0, 1] + [UInt8](repeating: 7, count: count - 68)
  }

  private func blocks(_ path: String) throws -> Int {
    Int(try OwnedDescriptor(open: path, O_RDONLY).status(path: path).st_blocks) * 512
  }

  @Test func `takes room for what is not read yet, however long it gets`() throws {
    let scratch = try ScratchDirectory()
    let path = try scratch.write([], to: "own.jfr")
    let agent = try OwnedDescriptor(open: path, O_WRONLY)
    let file = try RecordingFile(TargetFiles(process: UInt32(getpid()), user: geteuid()), path: path)
    for round in 1...20 {
      let one = chunk(1 << 20)
      try agent.write(one.borrowedBytes, path: path)
      // The next one has begun.
      try agent.write(Array(chunk(500)[..<100]).borrowedBytes, path: path)
      #expect(file.finished() == [one])
      #expect(file.finished().isEmpty)
      let problem = file.takeProblem()
      guard problem == nil else { return #expect(problem?.contains("stays on its disk") == true) }
      #expect(try blocks(path) <= 8192, "after \(round) chunks")
      #expect(lseek(agent.rawValue, -100, SEEK_CUR) > 0)
    }
    #expect(try OwnedDescriptor(open: path, O_RDONLY).status(path: path).st_size > 20 << 20)
  }

  @Test func `that is cut short gives what there is, and one of garbage nothing`() throws {
    let scratch = try ScratchDirectory()
    let path = try scratch.write(chunk(200) + Array(chunk(1000)[..<300]), to: "own.jfr")
    let file = try RecordingFile(TargetFiles(process: UInt32(getpid()), user: geteuid()), path: path)
    #expect(file.finished().map(\.count) == [200])
    #expect(file.rest().map(\.count) == [300])
    for bytes in [[], [UInt8](repeating: 0xff, count: 5000), Array("FLR\0".utf8)] {
      let path = try scratch.write(bytes, to: "garbage.jfr")
      let garbage = try RecordingFile(TargetFiles(process: UInt32(getpid()), user: geteuid()), path: path)
      #expect(garbage.rest().isEmpty)
    }
  }
}
