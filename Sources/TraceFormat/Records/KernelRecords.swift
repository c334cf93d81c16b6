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
