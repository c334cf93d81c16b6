package import Base
package import TraceFormat

/// Everything the recorder's logic was told, in the order it was told, so that the same recording can be made again
/// without a kernel: tests of the recorder and bug reports about it.
///
/// A tape is a row of entries: kind (8 bits), length (ULEB128), that many bytes.
package enum TapeEntry: Hashable, Sendable {
  case batch(KernelBatch)
  case scan(time: UInt64, only: [UInt32]?)
  case flush
  /// What a file of `/proc` said, or the errno it gave.
  case file(name: String, Answer)
  case link(name: String, Answer)
  case processes([UInt32])

  package enum Answer: Hashable, Sendable {
    case bytes([UInt8])
    case failure(Int32)
  }

  /// One entry's bytes at most: a ring buffer's worth and some.
  static let maximumByteCount: UInt64 = 256 << 20

  func encode(into out: inout ByteWriter) {
    var body = ByteWriter()
    let kind: UInt8
    switch self {
    case .batch(let batch):
      kind = 1
      body.write(batch.time)
      body.lengthPrefixed(batch.samples)
      body.lengthPrefixed(batch.sideband)
      body.uleb128(UInt64(batch.losses.count))
      for loss in batch.losses {
        body.write(loss.reason.rawValue)
        body.write(loss.cpu)
        body.write(loss.time.nanoseconds)
        body.write(loss.count)
      }
    case .scan(let time, let only):
      kind = 2
      body.write(time)
      body.write(UInt8(only == nil ? 0 : 1))
      for pid in only ?? [] { body.write(pid) }
    case .flush: kind = 3
    case .file(let name, let answer):
      kind = 4
      Self.encode(name, answer, into: &body)
    case .link(let name, let answer):
      kind = 5
      Self.encode(name, answer, into: &body)
    case .processes(let pids):
      kind = 6
      for pid in pids { body.write(pid) }
    }
    out.write(kind)
    out.lengthPrefixed(body.bytes)
  }

  private static func encode(_ name: String, _ answer: Answer, into body: inout ByteWriter) {
    body.lengthPrefixed(utf8: name)
    switch answer {
    case .bytes(let bytes):
      body.write(Int32(0))
      body.lengthPrefixed(bytes)
    case .failure(let code): body.write(code)
    }
  }

  init(_ cursor: inout ByteCursor) throws(MalformedInput) {
    let kind: UInt8 = try cursor.read("kind")
    let length = try cursor.uleb128("length")
    guard length <= Self.maximumByteCount else {
      throw MalformedInput(
        field: "length", offset: FileOffset(UInt64(cursor.offset)),
        problem: .overLimit(value: length, limit: Self.maximumByteCount))
    }
    var body = ByteCursor(try cursor.take(length, "entry"))
    switch kind {
    case 1:
      var batch = KernelBatch(time: try body.read("time"))
      batch.samples = try body.take(try body.uleb128("length"), "samples").copied()
      batch.sideband = try body.take(try body.uleb128("length"), "sideband").copied()
      for _ in 0..<(try body.uleb128("losses")) {
        let reason: UInt8 = try body.read("reason")
        let cpu: UInt32 = try body.read("cpu")
        let time: UInt64 = try body.read("time")
        let count: UInt64 = try body.read("count")
        batch.losses.append(
          LossRecord(
            reason: LossRecord.Reason(rawValue: reason) ?? .malformedEvent, cpu: cpu,
            time: MonotonicInstant(nanoseconds: time), count: count))
      }
      self = .batch(batch)
    case 2:
      let time: UInt64 = try body.read("time")
      let isLimited: UInt8 = try body.read("limited")
      self = .scan(time: time, only: isLimited == 0 ? nil : try Self.numbers(&body))
    case 3: self = .flush
    case 4, 5:
      let name = try body.take(try body.uleb128("length"), "name").text()
      let code: Int32 = try body.read("errno")
      let answer: Answer =
        code == 0 ? .bytes(try body.take(try body.uleb128("length"), "bytes").copied()) : .failure(code)
      self = kind == 4 ? .file(name: name, answer) : .link(name: name, answer)
    case 6: self = .processes(try Self.numbers(&body))
    default:
      throw MalformedInput(
        field: "kind", offset: FileOffset(UInt64(cursor.offset)), problem: .unsupported(value: UInt64(kind)))
    }
  }

  private static func numbers(_ body: inout ByteCursor) throws(MalformedInput) -> [UInt32] {
    var found: [UInt32] = []
    while body.remaining >= 4 { found.append(try body.read("pid")) }
    return found
  }
}

/// A `/proc` that writes down what it answers.
final class TapingProcessFileSystem: ProcessFileSystem {
  private let source: any ProcessFileSystem
  private let write: (TapeEntry) -> Void

  init(_ source: any ProcessFileSystem, write: @escaping (TapeEntry) -> Void) {
    self.source = source
    self.write = write
  }

  func read(_ name: String, limit: Int) throws(SystemCallError) -> [UInt8] {
    do throws(SystemCallError) {
      let bytes = try source.read(name, limit: limit)
      write(.file(name: name, .bytes(bytes)))
      return bytes
    } catch {
      write(.file(name: name, .failure(error.code)))
      throw error
    }
  }

  func link(_ name: String) throws(SystemCallError) -> String {
    do throws(SystemCallError) {
      let target = try source.link(name)
      write(.link(name: name, .bytes(Array(target.utf8))))
      return target
    } catch {
      write(.link(name: name, .failure(error.code)))
      throw error
    }
  }

  func processes() -> [UInt32] {
    let found = source.processes()
    write(.processes(found))
    return found
  }
}

/// A tape played back: the `/proc` it answers with, and the batches it hands to the recorder's logic.
package final class TapePlayer: ProcessFileSystem {
  private var files: [String: [TapeEntry.Answer]] = [:]
  private var links: [String: [TapeEntry.Answer]] = [:]
  private var scans: [[UInt32]] = []
  private var steps: [TapeEntry] = []

  package init(_ bytes: [UInt8]) throws(MalformedInput) {
    var cursor = ByteCursor(bytes.borrowedBytes)
    while !cursor.isAtEnd {
      let entry = try TapeEntry(&cursor)
      switch entry {
      case .file(let name, let answer): files[name, default: []].append(answer)
      case .link(let name, let answer): links[name, default: []].append(answer)
      case .processes(let pids): scans.append(pids)
      default: steps.append(entry)
      }
    }
  }

  /// Tells `core`, which reads its `/proc` from here, everything once more.
  package func play(into core: RecordingCore) throws(TraceError) {
    for step in steps {
      switch step {
      case .batch(let batch): try core.process(batch)
      case .scan(let time, let only): core.scan(only: only.map { Set($0) }, time: time)
      case .flush: try core.flush()
      default: break
      }
    }
  }

  package func read(_ name: String, limit: Int) throws(SystemCallError) -> [UInt8] {
    try Self.next(of: name, in: &files, call: "read")
  }

  package func link(_ name: String) throws(SystemCallError) -> String {
    String(decoding: try Self.next(of: name, in: &links, call: "readlink"), as: UTF8.self)
  }

  package func processes() -> [UInt32] { scans.isEmpty ? [] : scans.removeFirst() }

  /// Answers come in the order they were given; what was never asked is not there.
  private static func next(
    of name: String, in answers: inout [String: [TapeEntry.Answer]], call: String
  ) throws(SystemCallError) -> [UInt8] {
    guard let queue = answers[name], let first = queue.first else {
      throw SystemCallError(call: call, path: name, code: 2)  // ENOENT
    }
    answers[name] = Array(queue.dropFirst())
    switch first {
    case .bytes(let bytes): return bytes
    case .failure(let code): throw SystemCallError(call: call, path: name, code: code)
    }
  }
}
