import Base
import Replayer
import TestSupport
import Testing
import TraceFormat

/// Copies of stacks in traces made by hand, unwound by tables of the copies of the fixtures' libraries.
struct StackCopiesTests {
  /// Where the library's address 0 is mapped.
  private static let base: UInt64 = 0x7f00_0000_0000
  private static let stack: UInt64 = 0x7fff_0000_0000

  /// One sample of `exported` that called `helper`, in liblld.so (x86-64) or libarm.so (aarch64).
  private struct Chain {
    var library: String
    var machine: String
    /// Where the code is mapped, and where in the file it begins: its segment alone, because in files this small all
    /// segments share a page.
    var code: UInt64
    var fileOffset: UInt64
    /// Innermost first.
    var frames: [UInt64]
    var registers: StackCopyRecord.Registers
    var words: [UInt64]

    // helper after its push, called by exported within its three.
    static let x86 = Chain(
      library: "liblld.so", machine: "x86_64", code: base + 0x13b0, fileOffset: 0x3b0, frames: [base + 0x13d5, base + 0x13c0],
      registers: .init(
        pc: base + 0x13d5, sp: stack, fp: 0, lr: 0, numbered: [1, 2], isReturnAddress: false, isComplete: true),
      words: [7, base + 0x13c0, 1, 2, 3, 0])
    // helper at its first instruction, its return address in the link register; return addresses are signed, as with
    // pointer authentication.
    static let aarch64 = Chain(
      library: "libarm.so", machine: "aarch64", code: base + 0x103bc, fileOffset: 0x3bc,
      frames: [base + 0x103ec, base + 0x103d0, base + 0x103f8],
      registers: .init(
        pc: base + 0x103ec, sp: stack, fp: stack, lr: 0x00a5_0000_0000_0000 | (base + 0x103d0), numbered: [1],
        isReturnAddress: false, isComplete: true),
      words: [stack + 32, 0x00b7_0000_0000_0000 | (base + 0x103f8), 0, 0, 0, 0])

    var bytes: [UInt8] { words.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64($0 * 8)) } } }
  }

  /// A trace of one sample, recorded with `frames` and `result`.
  private func load(
    _ chain: Chain, frames: [UInt64], result: UnwindResult, hasImage: Bool = true, known: UInt32 = 0, workers: Int = 1
  ) throws -> LoadedTrace {
    var builder = TraceBuilder()
    let process = builder.process()
    let space = builder.addressSpace(of: process)
    let image = builder.image("/usr/lib/" + chain.library)
    if hasImage {
      let bytes = try Fixture.bytes(Fixture.path("binaries/" + chain.library))
      var record = ImageRecord(handle: image, kind: .file, path: "/usr/lib/" + chain.library)
      record.byteCount = UInt64(bytes.count)
      builder.add(.image(record))
      builder.add(.imageChunk(ImageChunkRecord(image: image, fileOffset: FileOffset(0), bytes: bytes)))
      builder.add(.imageEnd(ImageEndRecord(image: image, outcome: .full, same: nil, copiedByteCount: UInt64(bytes.count))))
    }
    builder.add(
      .mapping(
        MappingRecord(
          addressSpace: space, image: image, time: MonotonicInstant(nanoseconds: 1), start: ProcessAddress(chain.code),
          byteCount: 0x50, fileOffset: FileOffset(chain.fileOffset), protection: 5)))
    let thread = builder.thread(of: process)
    let stack = builder.stack(in: space, frames.reversed())
    builder.sample(thread, stack, weight: 3, result: result)
    builder.flush()
    builder.add(
      .stackCopy(
        StackCopyRecord(
          sample: Sample(
            cpu: 0, timeMicroseconds: 1_000_000, thread: thread, userStack: stack, kernelStack: .empty, event: EventHandle(0),
            weight: 3, result: result.rawValue),
          addressSpace: space, knownFrameCount: known, registers: chain.registers, stack: chain.bytes)))
    let scratch = try ScratchDirectory()
    let path = scratch.path + "/trace.seg"
    let template = builder.header
    let header = SegmentHeader(
      traceID: template.traceID, anchor: template.anchor, machine: chain.machine, kernelRelease: "6.1.0", kernelVersion: "#1",
      hostName: "host", cpuCount: 2, recorderVersion: "0.1", abilities: [])
    let writer = try SegmentWriter(path: path, header: header)
    for record in builder.records { try writer.append(record) }
    try writer.close()
    return try LoadedTrace(path: path, workers: workers)
  }

  private func outcomes(_ trace: LoadedTrace, workers: Int = 1) throws -> [StackCopies.Outcome] {
    var found: [StackCopies.Outcome] = []
    try StackCopies(of: trace, workers: workers).forEach(onlyUnfinished: false) { found.append($0.outcome) }
    return found
  }

  @Test(arguments: [1, 8]) func `a stack unwound again has the recorder's frames, for both machines`(workers: Int) throws {
    for chain in [Chain.x86, .aarch64] {
      let trace = try load(chain, frames: chain.frames, result: .complete, workers: workers)
      #expect(try outcomes(trace, workers: workers) == [.asRecorded], "\(chain.machine)")
    }
  }

  @Test func `frames that the tables do not give are a difference, and said`() throws {
    let chain = Chain.x86
    var frames = chain.frames
    frames[1] += 8
    let trace = try load(chain, frames: frames, result: .complete)
    #expect(try outcomes(trace) == [.different])
    var check = StackCheck()
    try StackCopies(of: trace, workers: 1).forEach(onlyUnfinished: false) { check.note($0) }
    #expect(check.hasDifferences && check.differences.count == 1)
    #expect(check.summary == "1 stacks unwound again: 1 different")
  }

  @Test func `a copy that ends before the stack does is compared as far as it goes`() throws {
    var chain = Chain.x86
    chain.words.removeLast(2)
    #expect(try outcomes(try load(chain, frames: chain.frames, result: .complete)) == [.cut])
  }

  @Test(arguments: [1, 8]) func `a sample whose tables never came gets its callers when the trace is read`(workers: Int) throws {
    for chain in [Chain.x86, .aarch64] {
      let trace = try load(chain, frames: [chain.frames[0]], result: .tablesPending, workers: workers)
      #expect(trace.contents.unwindResults == [UnwindResult.complete.rawValue: 1], "\(chain.machine)")
      #expect(trace.contents.groups.count == 2 && trace.contents.weights == [0, 3])
      #expect(trace.contents.userFrames(of: trace.contents.groups[1].userStack) == chain.frames)
      #expect(trace.isComplete)
    }
  }

  @Test func `it goes on from the frames that the sampler had found`() throws {
    var chain = Chain.x86
    // In exported, behind the call.
    chain.registers.pc = chain.frames[1]
    chain.registers.sp += 16
    chain.registers.isReturnAddress = true
    chain.registers.isComplete = false
    chain.words.removeFirst(2)
    let trace = try load(chain, frames: chain.frames, result: .complete, known: 1)
    #expect(try outcomes(trace) == [.asRecorded])
    // More than the stack has.
    #expect(try outcomes(try load(chain, frames: chain.frames, result: .complete, known: 3)) == [.lost])
  }

  @Test func `without a copy of the image nothing is invented`() throws {
    let chain = Chain.x86
    let trace = try load(chain, frames: [chain.frames[0]], result: .tablesPending, hasImage: false)
    #expect(trace.contents.unwindResults == [UnwindResult.tablesPending.rawValue: 1])
    #expect(try outcomes(trace) == [.withoutImage])
    #expect(try outcomes(try load(chain, frames: chain.frames, result: .complete, hasImage: false)) == [.withoutImage])
  }

  @Test func `any registers and any stack end in some outcome`() throws {
    var generator = SeededGenerator(seed: 5)
    for _ in 0..<60 {
      var chain = generator.next() & 1 == 0 ? Chain.x86 : Chain.aarch64
      func value() -> UInt64 {
        switch generator.next() % 4 {
        case 0: generator.next()
        case 1: .max &- generator.next() % 64
        case 2: Self.stack &+ generator.next() % 64
        default: chain.code &+ generator.next() % 0x1000
        }
      }
      chain.registers.pc = value()
      chain.registers.sp = value()
      chain.registers.fp = value()
      chain.registers.lr = value()
      chain.words = (0..<Int(generator.next() % 40)).map { _ in value() }
      #expect(try outcomes(try load(chain, frames: chain.frames, result: .complete)).count == 1)
    }
  }
}
