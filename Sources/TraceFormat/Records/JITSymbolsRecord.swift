public import Base

/// Names that a runtime gave to code it made, for addresses of an image of anonymous memory. Where two overlap, in one record
/// or in two, the later one counts from its time on.
public struct JITSymbolsRecord: Hashable, Sendable {
  public var image: ImageHandle
  /// From when on the code may have been there.
  public var time: MonotonicInstant
  public var symbols: [Symbol]
  public struct Symbol: Hashable, Sendable {
    /// Of the process.
    public var address: UInt64
    public var byteCount: UInt64
    public var name: String
    public init(address: UInt64, byteCount: UInt64, name: String) {
      self.address = address
      self.byteCount = byteCount
      self.name = name
    }
  }
  public init(image: ImageHandle, time: MonotonicInstant, symbols: [Symbol]) {
    self.image = image
    self.time = time
    self.symbols = symbols
  }
}

extension JITSymbolsRecord: SegmentRecord {
  public static let kind = RecordKind.jitSymbols

  public func encode(into writer: inout ByteWriter) {
    writer.handle(image)
    writer.instant(time)
    writer.number(UInt64(symbols.count))
    var last: UInt64 = 0
    for symbol in symbols {
      writer.zigzag(Int64(bitPattern: symbol.address &- last))
      last = symbol.address
      writer.number(symbol.byteCount)
      writer.text(symbol.name)
    }
  }

  public init(from cursor: inout ByteCursor) throws(MalformedInput) {
    image = try cursor.handle("jit_symbols.image")
    time = try cursor.instant("jit_symbols.time")
    symbols = []
    var last: UInt64 = 0
    for _ in 0..<(try cursor.count("jit_symbols.count", limit: Limits.recordByteCount)) {
      last &+= UInt64(bitPattern: try cursor.zigzag("jit_symbols.address_delta"))
      let byteCount = try cursor.uleb128("jit_symbols.byte_count")
      symbols.append(Symbol(address: last, byteCount: byteCount, name: try cursor.text("jit_symbols.name")))
    }
  }

  public func halves() -> (Self, Self)? {
    guard symbols.count > 1 else { return nil }
    let middle = symbols.count / 2
    return (
      Self(image: image, time: time, symbols: Array(symbols[..<middle])),
      Self(image: image, time: time, symbols: Array(symbols[middle...]))
    )
  }
}
