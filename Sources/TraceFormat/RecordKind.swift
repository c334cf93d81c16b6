/// The number that says what a record is. Numbers never change their meaning; unknown ones are skipped and counted.
public struct RecordKind: Hashable, Comparable, Sendable {
  public let rawValue: UInt64
  public init(_ rawValue: UInt64) { self.rawValue = rawValue }
  public static func < (lhs: Self, rhs: Self) -> Bool { lhs.rawValue < rhs.rawValue }

  public static let process = RecordKind(1)
  public static let processEnd = RecordKind(2)
  public static let thread = RecordKind(3)
  public static let addressSpace = RecordKind(4)
  public static let mapping = RecordKind(5)
  public static let image = RecordKind(6)
  public static let imageChunk = RecordKind(7)
  public static let imageEnd = RecordKind(8)
  public static let event = RecordKind(9)
  public static let stacks = RecordKind(10)
  public static let samples = RecordKind(11)
  public static let kernelSymbols = RecordKind(12)
  public static let kernelModules = RecordKind(13)
  public static let loss = RecordKind(14)
  public static let sessionFact = RecordKind(15)
  public static let targetLabels = RecordKind(16)
  public static let symbolStrings = RecordKind(17)
  public static let symbols = RecordKind(18)
  public static let layerEnd = RecordKind(19)
  public static let memory = RecordKind(20)
  public static let unwindBreak = RecordKind(21)
  public static let jitSymbols = RecordKind(22)
  public static let code = RecordKind(23)
  public static let targets = RecordKind(24)
  public static let stackCopy = RecordKind(25)
  public static let javaChunk = RecordKind(26)

  private static let names: [StaticString] = [
    "", "process", "process-end", "thread", "address-space", "mapping", "image", "image-chunk", "image-end", "event",
    "stacks", "samples", "kernel-symbols", "kernel-modules", "loss", "session-fact", "target-labels", "symbol-strings",
    "symbols", "layer-end", "memory", "unwind-break", "jit-symbols", "code", "targets", "stack-copy", "java-chunk",
  ]
  /// Every kind this version knows, by number.
  public static let all: [RecordKind] = (1..<names.count).map { RecordKind(UInt64($0)) }

  /// The word in text and messages; `kind-N` for an unknown one.
  public var name: String {
    guard let index = Int(exactly: rawValue), index > 0, index < Self.names.count else { return "kind-\(rawValue)" }
    return Self.names[index].description
  }
}

/// Which kinds of records: bit N stands for kind N, bit 63 for every kind from 63 on.
public struct KindSet: OptionSet, Hashable, Sendable {
  public let rawValue: UInt64
  public init(rawValue: UInt64) { self.rawValue = rawValue }
  public init(_ kinds: RecordKind...) {
    rawValue = kinds.reduce(0) { $0 | 1 << min($1.rawValue, 63) }
  }
  public static let all = KindSet(rawValue: .max)
  public func contains(_ kind: RecordKind) -> Bool { rawValue >> min(kind.rawValue, 63) & 1 == 1 }
  public mutating func insert(_ kind: RecordKind) { self = Self(rawValue: rawValue | 1 << min(kind.rawValue, 63)) }
}
