/// What a later stage appended: all records of one stage's run carry the same number, and count only once the
/// `LayerEndRecord` of that number is there. The newest finished layer of a kind wins.
public struct LayerEndRecord: Hashable, Sendable {
  public enum Kind: UInt8, Hashable, Sendable {
    case symbols = 0
    case labels = 1
  }
  public var layer: UInt32
  public var kind: Kind
  /// Records of this layer before this one, so that a lost frame is noticed.
  public var recordCount: UInt32
  public init(layer: UInt32, kind: Kind, recordCount: UInt32) {
    self.layer = layer
    self.kind = kind
    self.recordCount = recordCount
  }
}

/// Target labels given by `label`.
public struct TargetLabelsRecord: Hashable, Sendable {
  public var layer: UInt32
  /// The process they are for; `nil` for every process.
  public var process: ProcessHandle?
  /// Sorted by name.
  public var labels: [Label]
  public struct Label: Hashable, Sendable {
    public var name: String
    public var value: String
    public init(name: String, value: String) {
      self.name = name
      self.value = value
    }
  }
  public init(layer: UInt32, process: ProcessHandle?, labels: [Label]) {
    self.layer = layer
    self.process = process
    self.labels = labels
  }
}

/// Strings that the symbols of the same layer name by number. Number 0 is the empty string and is not written.
public struct SymbolStringsRecord: Hashable, Sendable {
  public var layer: UInt32
  /// The number of the first one.
  public var first: UInt32
  public var strings: [String]
  public init(layer: UInt32, first: UInt32, strings: [String]) {
    self.layer = layer
    self.first = first
    self.strings = strings
  }
}

/// What the addresses of one image turned out to be. Sorted by address.
public struct SymbolsRecord: Hashable, Sendable {
  public var layer: UInt32
  /// The kernel's addresses are those of `ImageHandle.kernel`.
  public var image: ImageHandle
  public var addresses: [Entry]

  public struct Entry: Hashable, Sendable {
    /// An image address (a kernel address for the kernel) made ready for looking up: one less for return addresses.
    public var address: UInt64
    /// Innermost inlined function first; empty when there is no name.
    public var frames: [Frame]
    /// Why there is no name; 0 when there is one. Values are `Symbolize`'s.
    public var reason: UInt8
    public init(address: UInt64, frames: [Frame], reason: UInt8) {
      self.address = address
      self.frames = frames
      self.reason = reason
    }
  }
  public struct Frame: Hashable, Sendable {
    /// The linkage name as the symbol table has it, not demangled; a number of `SymbolStringsRecord`.
    public var function: UInt32
    /// 0 when not known.
    public var file: UInt32
    /// Counts from 1; 0 when not known.
    public var line: UInt32
    /// The line the function starts at; 0 when not known.
    public var startLine: UInt32
    public init(function: UInt32, file: UInt32, line: UInt32, startLine: UInt32) {
      self.function = function
      self.file = file
      self.line = line
      self.startLine = startLine
    }
  }
  public init(layer: UInt32, image: ImageHandle, addresses: [Entry]) {
    self.layer = layer
    self.image = image
    self.addresses = addresses
  }
}
