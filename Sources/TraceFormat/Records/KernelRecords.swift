public import Base

/// Kernel symbols that cover a sampled address (all of them with `--images full`), sorted by address.
public struct KernelSymbolsRecord: Hashable, Sendable {
  public var symbols: [Symbol]
  public struct Symbol: Hashable, Sendable {
    public var address: UInt64
    /// Bytes up to the next symbol.
    public var byteCount: UInt64
    public var name: String
    /// The module in brackets in `/proc/kallsyms`, `bpf` for BPF programs, empty for the kernel itself.
    public var module: String
    public init(address: UInt64, byteCount: UInt64, name: String, module: String) {
      self.address = address
      self.byteCount = byteCount
      self.name = name
      self.module = module
    }
  }
  public init(symbols: [Symbol]) { self.symbols = symbols }
}

/// Where the kernel and its modules lie, so that an address without a symbol becomes `vmlinux+0x…`.
public struct KernelModulesRecord: Hashable, Sendable {
  public var modules: [Module]
  public struct Module: Hashable, Sendable {
    /// `vmlinux` for the kernel itself.
    public var name: String
    public var address: UInt64
    public var byteCount: UInt64
    /// Hexadecimal; empty when not known.
    public var buildID: String
    public init(name: String, address: UInt64, byteCount: UInt64, buildID: String) {
      self.name = name
      self.address = address
      self.byteCount = byteCount
      self.buildID = buildID
    }
  }
  public init(modules: [Module]) { self.modules = modules }
}

extension KernelSymbolsRecord: SegmentRecord {
  public static let kind = RecordKind.kernelSymbols

  public func encode(into writer: inout ByteWriter) {
    writer.number(UInt64(symbols.count))
    var last: UInt64 = 0
    for symbol in symbols {
      writer.zigzag(Int64(bitPattern: symbol.address &- last))
      last = symbol.address
      writer.number(symbol.byteCount)
      writer.text(symbol.name)
      writer.text(symbol.module)
    }
  }

  public init(from cursor: inout ByteCursor) throws(MalformedInput) {
    symbols = []
    var last: UInt64 = 0
    for _ in 0..<(try cursor.count("kernel_symbols.count", limit: Limits.recordByteCount)) {
      last &+= UInt64(bitPattern: try cursor.zigzag("kernel_symbols.address_delta"))
      let byteCount = try cursor.uleb128("kernel_symbols.byte_count")
      let name = try cursor.text("kernel_symbols.name")
      symbols.append(
        Symbol(address: last, byteCount: byteCount, name: name, module: try cursor.text("kernel_symbols.module")))
    }
  }

  public func halves() -> (Self, Self)? {
    guard symbols.count > 1 else { return nil }
    let middle = symbols.count / 2
    return (Self(symbols: Array(symbols[..<middle])), Self(symbols: Array(symbols[middle...])))
  }
}

extension KernelModulesRecord: SegmentRecord {
  public static let kind = RecordKind.kernelModules

  public func encode(into writer: inout ByteWriter) {
    writer.number(UInt64(modules.count))
    for module in modules {
      writer.text(module.name)
      writer.number(module.address)
      writer.number(module.byteCount)
      writer.text(module.buildID)
    }
  }

  public init(from cursor: inout ByteCursor) throws(MalformedInput) {
    modules = []
    for _ in 0..<(try cursor.count("kernel_modules.count")) {
      let name = try cursor.text("kernel_modules.name")
      let address = try cursor.uleb128("kernel_modules.address")
      let byteCount = try cursor.uleb128("kernel_modules.byte_count")
      modules.append(
        Module(
          name: name, address: address, byteCount: byteCount, buildID: try cursor.text("kernel_modules.build_id")))
    }
  }

  public func halves() -> (Self, Self)? {
    guard modules.count > 1 else { return nil }
    let middle = modules.count / 2
    return (Self(modules: Array(modules[..<middle])), Self(modules: Array(modules[middle...])))
  }
}
