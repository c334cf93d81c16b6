package import Base

/// A piece of the memory of a process that ran CPython, as large as the walk along one thread's frames and the reading of their
/// code need: for tests of both. Words of 64 bits, least significant byte first: `magic`, the fields of `init` in order, then
/// regions of an address, a number of bytes, and so many bytes, filled up with zeros to whole words.
package struct PythonImage: Sendable {
  /// `PYMEMORY`.
  static let magic: UInt64 = 0x5952_4f4d_454d_5950
  /// Of an image, and regions of one.
  package static let maximumByteCount = 1 << 20
  package static let maximumRegions = 4096

  /// As `Py_Version` has it.
  package var version: UInt64
  package var runtime: UInt64
  package var runtimeIsInterpreterPointer: Bool
  package var codeType: UInt64
  /// What `pthread_self()` was.
  package var threadPointer: UInt64
  /// Calls of the evaluation function on the stack.
  package var callCount: Int
  /// Ascending.
  package var memory: RecordedMemory

  package init(
    version: UInt64, runtime: UInt64, runtimeIsInterpreterPointer: Bool, codeType: UInt64, threadPointer: UInt64, callCount: Int,
    memory: RecordedMemory
  ) {
    self.version = version
    self.runtime = runtime
    self.runtimeIsInterpreterPointer = runtimeIsInterpreterPointer
    self.codeType = codeType
    self.threadPointer = threadPointer
    self.callCount = callCount
    self.memory = memory
  }

  /// - Returns: `nil` for what is no image, or is cut short.
  package init?(_ bytes: [UInt8]) {
    guard bytes.count <= Self.maximumByteCount else { return nil }
    var cursor = ByteCursor(bytes.borrowedBytes)
    do throws(MalformedInput) {
      guard try cursor.read("magic") == Self.magic else { return nil }
      version = try cursor.read("version")
      runtime = try cursor.read("runtime")
      runtimeIsInterpreterPointer = try cursor.read("runtimeIsInterpreterPointer", as: UInt64.self) != 0
      codeType = try cursor.read("codeType")
      threadPointer = try cursor.read("threadPointer")
      callCount = Int(clamping: try cursor.read("callCount", as: UInt64.self))
      memory = RecordedMemory()
      while cursor.remaining > 0, memory.regions.count < Self.maximumRegions {
        let start: UInt64 = try cursor.read("region.start")
        let count = Int(clamping: try cursor.read("region.count", as: UInt64.self))
        let region = try cursor.take(count, "region").copied()
        try cursor.skip(min((8 - count % 8) % 8, cursor.remaining), "region.padding")
        memory.append(region, at: ProcessAddress(start))
      }
    } catch {
      return nil
    }
  }

  package var encoded: [UInt8] {
    var bytes: [UInt8] = []
    func append(_ word: UInt64) { for place in 0..<8 { bytes.append(UInt8(truncatingIfNeeded: word >> UInt64(8 * place))) } }
    for word in [Self.magic, version, runtime, runtimeIsInterpreterPointer ? 1 : 0, codeType, threadPointer, UInt64(callCount)] {
      append(word)
    }
    for region in memory.regions {
      append(region.start)
      append(UInt64(region.bytes.count))
      bytes += region.bytes
      bytes += [UInt8](repeating: 0, count: (8 - region.bytes.count % 8) % 8)
    }
    return bytes
  }

  /// Its interpreter, whose evaluation function is said to be at `evaluation`.
  package func process(evaluation: AddressRange<InImage>) throws(PythonProcess.Refusal) -> PythonProcess {
    var binary = PythonBinary(
      evaluation: [evaluation], runtime: ImageAddress(runtime), codeType: codeType == 0 ? nil : ImageAddress(codeType),
      version: PythonVersion(hexVersion: version),
      ownLayout: memory.bytes(at: ProcessAddress(runtime), PythonLayout.debugOffsetsByteCount).flatMap { PythonLayout(debugOffsets: $0) })
    binary.runtimeIsInterpreterPointer = runtimeIsInterpreterPointer
    return try PythonProcess(binary, bias: 0)
  }
}
