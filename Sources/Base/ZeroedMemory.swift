#if canImport(Glibc)
  import Glibc
#else
  import Musl
#endif

/// Memory that reads as zero until it is written and takes no room until then; given back when the value goes away.
///
/// For a sparse copy of a large file: only the pages written to are ever allocated.
///
/// `@unchecked Sendable`: nothing else points into the memory, and writing needs exclusive access to the value.
@safe package struct ZeroedMemory: ~Copyable, @unchecked Sendable {
  private let mapping: AnonymousMapping
  private var start: UnsafeMutableRawPointer { unsafe mapping.start }
  package var byteCount: Int { mapping.byteCount }

  /// - Throws: `SystemCallError` when the address space does not have `byteCount` bytes.
  package init(byteCount: Int) throws(SystemCallError) { mapping = try AnonymousMapping(byteCount: byteCount) }

  /// Puts what of `more` fits over the bytes from `offset` on.
  package mutating func write(_ more: RawSpan, at offset: UInt64) {
    guard let offset = Int(exactly: offset), offset < byteCount else { return }
    let count = min(more.byteCount, byteCount - offset)
    guard count > 0 else { return }
    // Safe: `offset + count` is within the mapping by the lines above; the source is used only inside the closure.
    unsafe more.withUnsafeBytes { source in
      guard let from = source.baseAddress else { return }
      unsafe start.advanced(by: offset).copyMemory(from: from, byteCount: count)
    }
  }

  /// The bytes, borrowed for as long as the memory is.
  package var bytes: RawSpan {
    @_lifetime(borrow self) borrowing get {
      let span = unsafe RawSpan(_unsafeStart: UnsafeRawPointer(start), byteCount: byteCount)
      return unsafe _overrideLifetime(span, borrowing: self)
    }
  }
}
