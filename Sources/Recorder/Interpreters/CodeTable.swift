import TraceFormat

/// A piece of code that was read.
final class ReadCode {
  fileprivate(set) var record: CodeRecord
  /// In the segment that is being written; 0: not written there yet.
  fileprivate(set) var handle: UInt32 = 0
  fileprivate var lastUse: UInt64
  /// Nobody asked for it for long: what it said is forgotten, and it has to be read again.
  fileprivate(set) var isForgotten = false

  fileprivate init(_ record: CodeRecord, lastUse: UInt64) {
    self.record = record
    self.lastUse = lastUse
  }

  fileprivate var byteCount: Int { CodeTable.overhead + record.name.utf8.count + record.file.utf8.count + record.lines.count }
}

/// The code that was read, each piece once whatever processes run it. Handles count on from 1 in every segment, because segments
/// stand alone; what takes too much memory and was not used lately is forgotten, so that a recording may go on for ever.
final class CodeTable {
  /// Bytes of code that is kept.
  static let maximumByteCount = 64 << 20
  /// Pieces of code of one segment; above it frames have no names until the next segment.
  static let maximumHandles: UInt32 = 1 << 22
  /// Of the table itself, by piece.
  fileprivate static let overhead = 256

  private var codes: [CodeRecord: ReadCode] = [:]
  private(set) var byteCount = 0
  private var nextHandle: UInt32 = 1
  /// Counts how often something was forgotten.
  private var age: UInt64 = 0

  var count: Int { codes.count }

  /// - Parameter record: with handle 0.
  /// - Returns: the piece, and whether it is a new one.
  func take(_ record: CodeRecord) -> (code: ReadCode, isNew: Bool) {
    if let known = codes[record] { return (known, false) }
    let code = ReadCode(record, lastUse: age)
    if byteCount + code.byteCount > Self.maximumByteCount { forget() }
    codes[record] = code
    byteCount += code.byteCount
    return (code, true)
  }

  /// Its handle in this segment, and the record when it is to be written there; `nil` when the segment can name no more code.
  func use(_ code: ReadCode) -> (handle: UInt32, record: CodeRecord?)? {
    code.lastUse = age
    if code.handle != 0 { return (code.handle, nil) }
    guard nextHandle <= Self.maximumHandles else { return nil }
    code.handle = nextHandle
    nextHandle += 1
    var record = code.record
    record.handle = CodeHandle(code.handle)
    return (code.handle, record)
  }

  /// What the last segment did not name is forgotten.
  func beginSegment() {
    nextHandle = 1
    for code in codes.values {
      if code.handle == 0 { drop(code) }
      code.handle = 0
    }
  }

  /// Forgets what was not used since the last time, or everything where that is not the half.
  private func forget() {
    for code in codes.values where code.lastUse < age { drop(code) }
    if byteCount > Self.maximumByteCount / 2 {
      for code in codes.values { drop(code) }
    }
    age += 1
  }

  private func drop(_ code: ReadCode) {
    byteCount -= code.byteCount
    codes[code.record] = nil
    code.isForgotten = true
    code.record.name = ""
    code.record.file = ""
    code.record.lines = []
  }
}
