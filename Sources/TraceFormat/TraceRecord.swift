public import Base

/// Every kind of record a trace can hold: the list that encoding, decoding and `docs/trace-format.md` follow.
public enum TraceRecord: Hashable, Sendable {
  case process(ProcessRecord)
  case processEnd(ProcessEndRecord)
  case thread(ThreadRecord)
  case addressSpace(AddressSpaceRecord)
  case mapping(MappingRecord)
  case image(ImageRecord)
  case imageChunk(ImageChunkRecord)
  case imageEnd(ImageEndRecord)
  case event(EventRecord)
  case stacks(StackBatch)
  case samples(SampleBatch)
  case kernelSymbols(KernelSymbolsRecord)
  case kernelModules(KernelModulesRecord)
  case loss(LossRecord)
  case sessionFact(SessionFactRecord)
  case targetLabels(TargetLabelsRecord)
  case symbolStrings(SymbolStringsRecord)
  case symbols(SymbolsRecord)
  case layerEnd(LayerEndRecord)
  case memory(MemoryRecord)
  case unwindBreak(UnwindBreakRecord)
  case jitSymbols(JITSymbolsRecord)
  case stackCopy(StackCopyRecord)
  case targets(TargetsRecord)
  case code(CodeRecord)
  case javaChunk(JavaChunkRecord)
}

extension TraceRecord {
  public var kind: RecordKind { type(of: value).kind }

  /// The record itself.
  public var value: any SegmentRecord {
    switch self {
    case .process(let record): record
    case .processEnd(let record): record
    case .thread(let record): record
    case .addressSpace(let record): record
    case .mapping(let record): record
    case .image(let record): record
    case .imageChunk(let record): record
    case .imageEnd(let record): record
    case .event(let record): record
    case .stacks(let record): record
    case .samples(let record): record
    case .kernelSymbols(let record): record
    case .kernelModules(let record): record
    case .loss(let record): record
    case .sessionFact(let record): record
    case .targetLabels(let record): record
    case .symbolStrings(let record): record
    case .symbols(let record): record
    case .layerEnd(let record): record
    case .memory(let record): record
    case .unwindBreak(let record): record
    case .jitSymbols(let record): record
    case .stackCopy(let record): record
    case .targets(let record): record
    case .code(let record): record
    case .javaChunk(let record): record
    }
  }

  /// `nil` for a kind this version does not know.
  public init?(kind: RecordKind, from cursor: inout ByteCursor) throws(MalformedInput) {
    switch kind {
    case .process: self = .process(try ProcessRecord(from: &cursor))
    case .processEnd: self = .processEnd(try ProcessEndRecord(from: &cursor))
    case .thread: self = .thread(try ThreadRecord(from: &cursor))
    case .addressSpace: self = .addressSpace(try AddressSpaceRecord(from: &cursor))
    case .mapping: self = .mapping(try MappingRecord(from: &cursor))
    case .image: self = .image(try ImageRecord(from: &cursor))
    case .imageChunk: self = .imageChunk(try ImageChunkRecord(from: &cursor))
    case .imageEnd: self = .imageEnd(try ImageEndRecord(from: &cursor))
    case .event: self = .event(try EventRecord(from: &cursor))
    case .stacks: self = .stacks(try StackBatch(from: &cursor))
    case .samples: self = .samples(try SampleBatch(from: &cursor))
    case .kernelSymbols: self = .kernelSymbols(try KernelSymbolsRecord(from: &cursor))
    case .kernelModules: self = .kernelModules(try KernelModulesRecord(from: &cursor))
    case .loss: self = .loss(try LossRecord(from: &cursor))
    case .sessionFact: self = .sessionFact(try SessionFactRecord(from: &cursor))
    case .targetLabels: self = .targetLabels(try TargetLabelsRecord(from: &cursor))
    case .symbolStrings: self = .symbolStrings(try SymbolStringsRecord(from: &cursor))
    case .symbols: self = .symbols(try SymbolsRecord(from: &cursor))
    case .layerEnd: self = .layerEnd(try LayerEndRecord(from: &cursor))
    case .memory: self = .memory(try MemoryRecord(from: &cursor))
    case .unwindBreak: self = .unwindBreak(try UnwindBreakRecord(from: &cursor))
    case .jitSymbols: self = .jitSymbols(try JITSymbolsRecord(from: &cursor))
    case .stackCopy: self = .stackCopy(try StackCopyRecord(from: &cursor))
    case .targets: self = .targets(try TargetsRecord(from: &cursor))
    case .code: self = .code(try CodeRecord(from: &cursor))
    case .javaChunk: self = .javaChunk(try JavaChunkRecord(from: &cursor))
    default: return nil
    }
  }
}
