public import Base

/// The registers of a sampled thread and a copy of its stack, for finding the callers (again) offline.
public struct StackCopyRecord: Hashable, Sendable {
  /// Where the thread stood, or the caller it had been unwound to.
  public struct Registers: Hashable, Sendable {
    public var pc: UInt64
    public var sp: UInt64
    public var fp: UInt64
    /// aarch64's x30; 0 on x86-64.
    public var lr: UInt64
    /// By DWARF's numbers of the machine; the last ones may be left out, which are 0 then.
    public var numbered: [UInt64]
    /// `pc` is behind a call or a system call.
    public var isReturnAddress: Bool
    /// `lr` and `numbered` hold: the innermost frame, or one that a signal interrupted.
    public var isComplete: Bool
    public init(
      pc: UInt64, sp: UInt64, fp: UInt64, lr: UInt64, numbered: [UInt64], isReturnAddress: Bool, isComplete: Bool
    ) {
      self.pc = pc
      self.sp = sp
      self.fp = fp
      self.lr = lr
      self.numbered = numbered
      self.isReturnAddress = isReturnAddress
      self.isComplete = isComplete
    }
  }
  /// The sample, as it is among the samples.
  public var sample: Sample
  /// Where the stack was unwound.
  public var addressSpace: AddressSpaceHandle
  /// So many of the innermost frames of the sample's user stack had been found before; `registers` are their caller's.
  public var knownFrameCount: UInt32
  public var registers: Registers
  /// From `registers.sp` rounded down to 8.
  public var stack: [UInt8]
  public init(
    sample: Sample, addressSpace: AddressSpaceHandle, knownFrameCount: UInt32, registers: Registers, stack: [UInt8]
  ) {
    self.sample = sample
    self.addressSpace = addressSpace
    self.knownFrameCount = knownFrameCount
    self.registers = registers
    self.stack = stack
  }
}

extension StackCopyRecord: SegmentRecord {
  public static let kind = RecordKind.stackCopy

  public func encode(into writer: inout ByteWriter) {
    writer.handle(sample.thread)
    writer.number(sample.timeMicroseconds)
    writer.number(sample.cpu)
    writer.handle(sample.userStack)
    writer.handle(sample.kernelStack)
    writer.handle(sample.event)
    writer.number(sample.weight)
    writer.write(sample.result)
    writer.handle(addressSpace)
    writer.number(knownFrameCount)
    writer.number(registers.pc)
    writer.number(registers.sp)
    writer.number(registers.fp)
    writer.number(registers.lr)
    writer.write(UInt8((registers.isReturnAddress ? 1 : 0) | (registers.isComplete ? 2 : 0)))
    writer.number(UInt64(registers.numbered.count))
    for value in registers.numbered { writer.number(value) }
    writer.lengthPrefixed(stack)
  }

  public init(from cursor: inout ByteCursor) throws(MalformedInput) {
    let thread: ThreadHandle = try cursor.handle("stackCopy.thread")
    let time = try cursor.uleb128("stackCopy.time")
    let cpu: UInt32 = try cursor.number("stackCopy.cpu")
    let user: StackHandle = try cursor.handle("stackCopy.userStack")
    let kernel: StackHandle = try cursor.handle("stackCopy.kernelStack")
    let event: EventHandle = try cursor.handle("stackCopy.event")
    let weight = try cursor.uleb128("stackCopy.weight")
    sample = Sample(
      cpu: cpu, timeMicroseconds: time, thread: thread, userStack: user, kernelStack: kernel, event: event, weight: weight,
      result: try cursor.read("stackCopy.result"))
    addressSpace = try cursor.handle("stackCopy.addressSpace")
    knownFrameCount = try cursor.number("stackCopy.knownFrameCount")
    let pc = try cursor.uleb128("stackCopy.pc")
    let sp = try cursor.uleb128("stackCopy.sp")
    let fp = try cursor.uleb128("stackCopy.fp")
    let lr = try cursor.uleb128("stackCopy.lr")
    let flags: UInt8 = try cursor.read("stackCopy.flags")
    var numbered: [UInt64] = []
    for _ in 0..<(try cursor.count("stackCopy.registers", limit: Limits.registerCount)) {
      numbered.append(try cursor.uleb128("stackCopy.register"))
    }
    registers = Registers(
      pc: pc, sp: sp, fp: fp, lr: lr, numbered: numbered, isReturnAddress: flags & 1 != 0, isComplete: flags & 2 != 0)
    stack = try cursor.data("stackCopy.stack", limit: Limits.stackCopyByteCount)
  }
}
