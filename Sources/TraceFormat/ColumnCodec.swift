import Base

/// How a column of whole numbers becomes bytes: a mode byte, and what the mode says.
///
/// The writer tries the modes that suit a column and keeps the shortest. `docs/trace-format.md` has the layouts.
enum ColumnCodec {
  enum Mode: UInt8 {
    /// One number that all are equal to.
    case constant = 0
    /// Each number by itself.
    case plain = 1
    /// Zigzag of the difference to the number before; the first to 0.
    case delta = 2
    /// 0 for one more than the highest so far, else how far below that highest plus one.
    case newestFirst = 3
  }

  static func encode(_ values: [UInt64], trying modes: [Mode], into writer: inout ByteWriter) {
    guard let first = values.first else { return }
    if values.allSatisfy({ $0 == first }) {
      writer.write(Mode.constant.rawValue)
      writer.uleb128(first)
      return
    }
    var best: (mode: Mode, bytes: [UInt8])?
    for mode in modes {
      var body = ByteWriter(capacity: values.count * 2)
      forward(values, mode) { body.uleb128($0) }
      if body.count < best?.bytes.count ?? .max { best = (mode, body.bytes) }
    }
    guard let best else { return }
    writer.write(best.mode.rawValue)
    writer.lengthPrefixed(best.bytes)
  }

  private static func forward(_ values: [UInt64], _ mode: Mode, _ put: (UInt64) -> Void) {
    var last: UInt64 = 0
    var next: UInt64 = 0
    for value in values {
      switch mode {
      case .constant, .plain: put(value)
      case .delta:
        put(zigzag(value &- last))
        last = value
      case .newestFirst:
        // `value` may lie above `next`: the difference wraps, and wraps back when it is read.
        put(next &- value)
        if value >= next { next = value &+ 1 }
      }
    }
  }

  /// Reads a column of `count` numbers, which the caller has held to a limit.
  static func decode(_ count: Int, _ field: StaticString, from cursor: inout ByteCursor) throws(MalformedInput) -> [UInt64] {
    guard count > 0 else { return [] }
    let start = cursor.offset
    let raw: UInt8 = try cursor.read(field)
    guard let mode = Mode(rawValue: raw) else {
      throw MalformedInput(
        field: field.description, offset: FileOffset(UInt64(start)), problem: .unsupported(value: UInt64(raw)))
    }
    if mode == .constant { return [UInt64](repeating: try cursor.uleb128(field), count: count) }
    let length = try cursor.uleb128(field)
    var body = ByteCursor(try cursor.take(length, field))
    guard body.remaining >= count else {
      throw MalformedInput(
        field: field.description, offset: FileOffset(UInt64(start)),
        problem: .truncated(needed: count, remaining: body.remaining))
    }
    var values: [UInt64] = []
    values.reserveCapacity(count)
    var last: UInt64 = 0
    for _ in 0..<count {
      let read = try body.uleb128(field)
      switch mode {
      case .constant, .plain: values.append(read)
      case .delta:
        last &+= unzigzag(read)
        values.append(last)
      case .newestFirst:
        let value = last &- read
        if value >= last { last = value &+ 1 }
        values.append(value)
      }
    }
    return values
  }

  static func zigzag(_ value: UInt64) -> UInt64 {
    let signed = Int64(bitPattern: value)
    return UInt64(bitPattern: signed &<< 1) ^ UInt64(bitPattern: signed &>> 63)
  }
  static func unzigzag(_ value: UInt64) -> UInt64 { (value &>> 1) ^ (0 &- (value & 1)) }
}
