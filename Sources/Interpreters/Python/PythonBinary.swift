package import Base
package import ObjectFile

/// CPython in an ELF file: where in the image what the unwinder needs lies.
package struct PythonBinary: Hashable, Sendable {
  /// The code of `_PyEval_EvalFrameDefault`, and parts of it that lie elsewhere.
  package var evaluation: [AddressRange<InImage>]
  /// `_PyRuntime` (3.7 and later), or the pointer to the first interpreter state.
  package var runtime: ImageAddress
  package var runtimeIsInterpreterPointer = false
  /// `PyCode_Type`.
  package var codeType: ImageAddress?
  /// `nil` when the file does not say.
  package var version: PythonVersion?
  /// What the build says of its own structures (3.13 and later); `nil` when it says nothing that is known.
  package var ownLayout: PythonLayout?
  /// Whether objects begin with two more pointers: a build with `Py_TRACE_REFS`.
  package var tracesReferences = false

  package init(
    evaluation: [AddressRange<InImage>], runtime: ImageAddress, codeType: ImageAddress?, version: PythonVersion?,
    ownLayout: PythonLayout? = nil
  ) {
    self.evaluation = evaluation
    self.runtime = runtime
    self.codeType = codeType
    self.version = version
    self.ownLayout = ownLayout
  }

  static let maximumParts = 4
  /// The function has 20 to 120 KB; more is damage.
  static let maximumFunctionByteCount: UInt64 = 4 << 20

  /// - Parameter path: the file's, whose name tells the version where nothing else does.
  /// - Returns: `nil` when the file holds no CPython.
  package init?(_ file: ElfFile, path: String) {
    guard let evaluation = file.dynamicSymbol(named: "_PyEval_EvalFrameDefault"), evaluation.value != 0 else { return nil }
    if let symbol = file.dynamicSymbol(named: "_PyRuntime") {
      runtime = ImageAddress(symbol.value)
    } else if let head = file.symbols(withPrefix: "interp_head").first {
      runtime = ImageAddress(head.value)
      runtimeIsInterpreterPointer = true
    } else if let head = Self.interpreterPointer(file) {
      runtime = head
      runtimeIsInterpreterPointer = true
    } else {
      return nil
    }
    var parts = file.symbols(withPrefix: "_PyEval_EvalFrameDefault.").filter { $0.kind == .function || $0.kind == .none }
    parts.insert(evaluation, at: 0)
    self.evaluation = parts.prefix(Self.maximumParts).compactMap { part in
      guard part.byteCount > 0, part.byteCount <= Self.maximumFunctionByteCount,
        let end = ImageAddress(part.value).adding(part.byteCount)
      else { return nil }
      return AddressRange(start: ImageAddress(part.value), end: end)
    }
    guard let whole = self.evaluation.first else { return nil }
    if self.evaluation.count == 1 {
      self.evaluation += FunctionParts.elsewhere(whole, file, limit: Self.maximumParts - 1)
    }
    codeType = file.dynamicSymbol(named: "PyCode_Type").map { ImageAddress($0.value) }
    tracesReferences = file.dynamicSymbol(named: "_Py_AddToAllObjects") != nil
    if let symbol = file.dynamicSymbol(named: "Py_Version") {
      var cursor = ByteCursor(file.bytes(at: ImageAddress(symbol.value), 8))
      version = (try? cursor.read("Py_Version", as: UInt64.self)).flatMap { PythonVersion(hexVersion: $0) }
    }
    version = version ?? PythonVersion(fileName: path)
    // Constants, which lie in the file as they will lie in memory: a process may not have mapped them yet.
    ownLayout = PythonLayout(debugOffsets: file.bytes(at: runtime, UInt64(PythonLayout.debugOffsetsByteCount)).copied())
  }

  /// 3.6 keeps it to itself: `PyInterpreterState_Head` is `mov interp_head(%rip), %rax; ret`.
  private static func interpreterPointer(_ file: ElfFile) -> ImageAddress? {
    guard let function = file.dynamicSymbol(named: "PyInterpreterState_Head") else { return nil }
    var cursor = ByteCursor(file.bytes(at: ImageAddress(function.value), 16))
    do throws(MalformedInput) {
      var first: UInt8 = try cursor.read("opcode")
      var at = function.value
      if first == 0xf3 {
        // endbr64
        try cursor.skip(3, "endbr64")
        at &+= 4
        first = try cursor.read("opcode")
      }
      let second: UInt8 = try cursor.read("opcode")
      let third: UInt8 = try cursor.read("operands")
      guard (first, second, third) == (0x48, 0x8b, 0x05) else { return nil }
      let displacement: UInt32 = try cursor.read("displacement")
      return ImageAddress(at &+ 7 &+ UInt64(bitPattern: Int64(Int32(bitPattern: displacement))))
    } catch {
      return nil
    }
  }
}
