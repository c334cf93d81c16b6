import Base
import Testing

@testable import Recorder

struct SidebandParserTests {
  /// A record as linux/perf_event.h lays it out: header, body, then pid, tid and time.
  static func record(
    type: UInt32, misc: UInt16 = 0, pid: UInt32, tid: UInt32, time: UInt64, _ body: (inout ByteWriter) -> Void
  ) -> [UInt8] {
    var content = ByteWriter()
    body(&content)
    content.write(pid)
    content.write(tid)
    content.write(time)
    var all = ByteWriter()
    all.write(type)
    all.write(misc)
    all.write(UInt16(8 + content.count))
    all.append(content.bytes)
    return all.bytes
  }

  static func padded(_ text: String) -> [UInt8] {
    var bytes = Array(text.utf8) + [0]
    while bytes.count % 8 != 0 { bytes.append(0) }
    return bytes
  }

  static func mapping(
    pid: UInt32, time: UInt64, start: UInt64, byteCount: UInt64, offset: UInt64 = 0, inode: UInt64, path: String
  ) -> [UInt8] {
    record(type: 10, pid: pid, tid: pid, time: time) {
      $0.write(pid)
      $0.write(pid)  // tid
      $0.write(start)
      $0.write(byteCount)
      $0.write(offset)
      $0.write(UInt32(8))  // maj
      $0.write(UInt32(1))  // min
      $0.write(inode)
      $0.write(UInt64(7))  // ino_generation
      $0.write(UInt32(5))  // prot: read, execute
      $0.write(UInt32(2))  // flags
      $0.append(padded(path))
    }
  }

  static func fork(pid: UInt32, parent: UInt32, tid: UInt32? = nil, time: UInt64) -> [UInt8] {
    record(type: 7, pid: parent, tid: parent, time: time) {
      $0.write(pid)
      $0.write(parent)
      $0.write(tid ?? pid)
      $0.write(parent)  // ptid
      $0.write(time)
    }
  }

  static func exit(pid: UInt32, tid: UInt32? = nil, time: UInt64) -> [UInt8] {
    record(type: 4, pid: pid, tid: tid ?? pid, time: time) {
      $0.write(pid)
      $0.write(pid)  // ppid
      $0.write(tid ?? pid)
      $0.write(pid)  // ptid
      $0.write(time)
    }
  }

  static func comm(pid: UInt32, tid: UInt32? = nil, name: String, isExec: Bool, time: UInt64) -> [UInt8] {
    record(type: 3, misc: isExec ? 1 << 13 : 0, pid: pid, tid: tid ?? pid, time: time) {
      $0.write(pid)
      $0.write(tid ?? pid)
      $0.append(padded(name))
    }
  }

  @Test func `a mapping comes out with every field`() throws {
    let bytes = Self.mapping(pid: 10, time: 99, start: 0x1000, byteCount: 0x2000, offset: 0x3000, inode: 5, path: "/lib/a b.so")
    var events: [SidebandEvent] = []
    #expect(SidebandParser.parse(bytes.borrowedBytes, into: &events) == 0)
    let event = try #require(events.first)
    #expect(event.time.nanoseconds == 99)
    guard case .mapping(let mapping) = event.kind else {
      Issue.record("not a mapping")
      return
    }
    #expect(
      mapping
        == SidebandEvent.Mapping(
          start: 0x1000, byteCount: 0x2000, fileOffset: 0x3000, device: 8 << 32 | 1, inode: 5, inodeGeneration: 7,
          protection: 5, path: "/lib/a b.so"))
  }

  @Test func `an exec, a rename, a new thread and a new process are told apart`() {
    let bytes =
      Self.comm(pid: 4, name: "prog", isExec: true, time: 1) + Self.comm(pid: 4, tid: 5, name: "worker", isExec: false, time: 2)
      + Self.fork(pid: 4, parent: 4, tid: 6, time: 3) + Self.fork(pid: 7, parent: 4, time: 4) + Self.exit(pid: 7, time: 5)
    var events: [SidebandEvent] = []
    #expect(SidebandParser.parse(bytes.borrowedBytes, into: &events) == 0)
    let words = events.map { event -> String in
      switch event.kind {
      case .comm(let name, let isExec): "\(isExec ? "exec" : "comm") \(event.thread) \(String(decoding: name, as: UTF8.self))"
      case .fork(let parent, _): "fork \(event.process)/\(event.thread) of \(parent)"
      case .exit: "exit \(event.thread)"
      default: "other"
      }
    }
    #expect(words == ["exec 4 prog", "comm 5 worker", "fork 4/6 of 4", "fork 7/7 of 4", "exit 7"])
  }

  @Test func `records cut at any length are counted and never trap`() {
    let whole = Self.fork(pid: 7, parent: 4, time: 4) + Self.mapping(pid: 1, time: 2, start: 3, byteCount: 4, inode: 5, path: "/x")
    for length in 0..<whole.count {
      var events: [SidebandEvent] = []
      let malformed = SidebandParser.parse(Array(whole.prefix(length)).borrowedBytes, into: &events)
      #expect(events.count <= 1)
      #expect(malformed <= 1)
    }
  }
}
