import CDemangle

/// Turns linkage names into the names people wrote. A name that is not mangled, too long or too large when written out
/// comes back as it was.
package enum Demangler {
  /// Longer names are not tried.
  package static let maximumByteCount = Int(PYROREC_DEMANGLE_MAXIMUM_INPUT)

  /// - Parameter name: a linkage name; `@plt` and clone suffixes may follow the mangling.
  package static func demangle(_ name: String, _ mode: DemangleMode) -> String {
    guard mode != .none else { return name }
    var name = name
    return name.withUTF8 { bytes in
      // Safe: the bytes are read only inside the closure.
      let bytes = unsafe Span(_unsafeElements: bytes)
      return demangled(bytes, mode)
    } ?? name
  }

  /// As the other, for a name that is only there as bytes of UTF-8; `nil` when it comes out as it was.
  package static func demangled(_ name: Span<UInt8>, _ mode: DemangleMode) -> String? {
    guard mode != .none, name.count > 3, name.count <= maximumByteCount, let language = Language(name) else { return nil }
    let stub = hasStubSuffix(name) ? 4 : 0
    let mangled = name.extracting(0..<(name.count - stub))
    var text: [UInt8]?
    switch language {
    case .cplus: text = CPlusNames.demangle(mangled, mode)
    case .legacyRustOrCPlus: text = RustNames.demangleLegacy(mangled) ?? CPlusNames.demangle(mangled, mode)
    case .rust: text = RustNames.demangle(mangled, mode)
    case .swift: text = SwiftNames.demangle(mangled, mode)
    case .d: text = DNames.demangle(mangled)
    case .ocaml: text = OCamlNames.demangle(mangled)
    }
    guard var text, !text.isEmpty else { return nil }
    if stub > 0 { text += "@plt".utf8 }
    return String(decoding: text, as: UTF8.self)
  }

  private enum Language {
    case cplus
    case legacyRustOrCPlus
    case rust
    case swift
    case d
    case ocaml

    /// By the first bytes; `nil` for names that no compiler mangled.
    init?(_ name: Span<UInt8>) {
      switch name[0] {
      case UInt8(ascii: "_"):
        switch name[1] {
        case UInt8(ascii: "Z"): self = name[2] == UInt8(ascii: "N") ? .legacyRustOrCPlus : .cplus
        case UInt8(ascii: "R"): self = .rust
        case UInt8(ascii: "D"):
          guard DNames.isMangled(name) else { return nil }
          self = .d
        case UInt8(ascii: "$"): self = .swift
        case UInt8(ascii: "_"):
          // ___Z…: the block functions of clang.
          guard name.count > 4, name[2] == UInt8(ascii: "_"), name[3] == UInt8(ascii: "Z") else { return nil }
          self = .cplus
        default: return nil
        }
      case UInt8(ascii: "$"): self = .swift
      case UInt8(ascii: "c"):
        guard OCamlNames.isMangled(name) else { return nil }
        self = .ocaml
      default: return nil
      }
    }
  }

  private static func hasStubSuffix(_ name: Span<UInt8>) -> Bool {
    let end = name.count
    return end > 8 && name[end - 4] == UInt8(ascii: "@") && name[end - 3] == UInt8(ascii: "p")
      && name[end - 2] == UInt8(ascii: "l") && name[end - 1] == UInt8(ascii: "t")
  }

  /// Calls libiberty with a name and gives what it wrote; `nil` when it is no name of that style.
  static func run(_ mangled: Span<UInt8>, _ style: pyrorec_demangle_style) -> [UInt8]? {
    // Safe: the input ends with NUL, and the output has the capacity the shim's header asks for.
    unsafe terminated(mangled) { input in
      unsafe collect { output in unsafe pyrorec_demangle(input, style, output) }
    }
  }

  /// Calls the Swift runtime with a name.
  static func runSwift(_ mangled: Span<UInt8>) -> [UInt8]? {
    // Safe: the input ends with NUL, and the output has the capacity the shim's header asks for.
    unsafe terminated(mangled) { input in
      unsafe collect { output in unsafe pyrorec_demangle_swift(input, mangled.count, output) }
    }
  }

  /// Lends `name` with a NUL after it: the Swift runtime is told the length and looks for the end all the same.
  private static func terminated(_ name: Span<UInt8>, _ body: (UnsafePointer<CChar>) -> [UInt8]?) -> [UInt8]? {
    unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: name.count + 1) { input in
      for index in name.indices { unsafe input[index] = CChar(bitPattern: name[index]) }
      unsafe input[name.count] = 0
      guard let start = input.baseAddress else { return nil }
      return unsafe body(start)
    }
  }

  private static func collect(_ write: (UnsafeMutablePointer<CChar>) -> Int) -> [UInt8]? {
    unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PYROREC_DEMANGLE_CAPACITY)) { output in
      guard let start = output.baseAddress else { return nil }
      let count = unsafe write(start)
      guard count > 0 else { return nil }
      // Safe: the first `count` bytes were written.
      return unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
        for index in 0..<count { unsafe buffer[index] = UInt8(bitPattern: output[index]) }
        filled = count
      }
    }
  }
}
