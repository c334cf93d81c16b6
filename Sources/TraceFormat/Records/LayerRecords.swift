public import Base

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
  /// The label of a process that is left out of all profiles; its value is the reason.
  public static let leftOut = "__left_out__"
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

extension LayerEndRecord: SegmentRecord {
  public static let kind = RecordKind.layerEnd

  public func encode(into writer: inout ByteWriter) {
    writer.number(layer)
    writer.write(kind.rawValue)
    writer.number(recordCount)
  }

  public init(from cursor: inout ByteCursor) throws(MalformedInput) {
    layer = try cursor.number("layer_end.layer")
    kind = try cursor.choice("layer_end.kind")
    recordCount = try cursor.number("layer_end.record_count")
  }
}

extension TargetLabelsRecord: SegmentRecord {
  public static let kind = RecordKind.targetLabels

  public func encode(into writer: inout ByteWriter) {
    writer.number(layer)
    writer.flag(process != nil)
    if let process { writer.handle(process) }
    writer.number(UInt64(labels.count))
    for label in labels {
      writer.text(label.name)
      writer.text(label.value)
    }
  }

  public init(from cursor: inout ByteCursor) throws(MalformedInput) {
    layer = try cursor.number("target_labels.layer")
    process = try cursor.flag("target_labels.has_process") ? try cursor.handle("target_labels.process") : nil
    labels = []
    for _ in 0..<(try cursor.count("target_labels.count")) {
      let name = try cursor.text("target_labels.name")
      labels.append(Label(name: name, value: try cursor.text("target_labels.value")))
    }
  }

  public func halves() -> (Self, Self)? {
    guard labels.count > 1 else { return nil }
    let middle = labels.count / 2
    return (
      Self(layer: layer, process: process, labels: Array(labels[..<middle])),
      Self(layer: layer, process: process, labels: Array(labels[middle...]))
    )
  }
}

extension SymbolStringsRecord: SegmentRecord {
  public static let kind = RecordKind.symbolStrings

  public func encode(into writer: inout ByteWriter) {
    writer.number(layer)
    writer.number(first)
    writer.number(UInt64(strings.count))
    for string in strings { writer.text(string) }
  }

  public init(from cursor: inout ByteCursor) throws(MalformedInput) {
    layer = try cursor.number("symbol_strings.layer")
    first = try cursor.number("symbol_strings.first")
    strings = []
    for _ in 0..<(try cursor.count("symbol_strings.count", limit: Limits.recordByteCount)) {
      strings.append(try cursor.text("symbol_strings.string"))
    }
  }

  public func halves() -> (Self, Self)? {
    guard strings.count > 1 else { return nil }
    let middle = strings.count / 2
    return (
      Self(layer: layer, first: first, strings: Array(strings[..<middle])),
      Self(layer: layer, first: first &+ UInt32(middle), strings: Array(strings[middle...]))
    )
  }
}

extension SymbolsRecord: SegmentRecord {
  public static let kind = RecordKind.symbols

  public func encode(into writer: inout ByteWriter) {
    writer.number(layer)
    writer.handle(image)
    writer.number(UInt64(addresses.count))
    var last: UInt64 = 0
    for entry in addresses {
      writer.zigzag(Int64(bitPattern: entry.address &- last))
      last = entry.address
      writer.number(UInt64(entry.frames.count))
      if entry.frames.isEmpty { writer.write(entry.reason) }
      for frame in entry.frames {
        writer.number(frame.function)
        writer.number(frame.file)
        writer.number(frame.line)
        writer.number(frame.startLine)
      }
    }
  }

  public init(from cursor: inout ByteCursor) throws(MalformedInput) {
    layer = try cursor.number("symbols.layer")
    image = try cursor.handle("symbols.image")
    addresses = []
    var last: UInt64 = 0
    let count = try cursor.count("symbols.count", limit: Limits.recordByteCount)
    addresses.reserveCapacity(count)
    for _ in 0..<count {
      last &+= UInt64(bitPattern: try cursor.zigzag("symbols.address_delta"))
      let frameCount = try cursor.count("symbols.frame_count")
      let reason: UInt8 = frameCount == 0 ? try cursor.read("symbols.reason") : 0
      var frames: [Frame] = []
      frames.reserveCapacity(frameCount)
      for _ in 0..<frameCount {
        let function: UInt32 = try cursor.number("symbols.function")
        let file: UInt32 = try cursor.number("symbols.file")
        let line: UInt32 = try cursor.number("symbols.line")
        frames.append(Frame(function: function, file: file, line: line, startLine: try cursor.number("symbols.start_line")))
      }
      addresses.append(Entry(address: last, frames: frames, reason: reason))
    }
  }

  public func halves() -> (Self, Self)? {
    guard addresses.count > 1 else { return nil }
    let middle = addresses.count / 2
    return (
      Self(layer: layer, image: image, addresses: Array(addresses[..<middle])),
      Self(layer: layer, image: image, addresses: Array(addresses[middle...]))
    )
  }
}
