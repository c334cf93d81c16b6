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
  private let start: UnsafeMutableRawPointer
  package let byteCount: Int

  /// - Throws: `SystemCallError` when the address space does not have `byteCount` bytes.
  package init(byteCount: Int) throws(SystemCallError) {
    precondition(byteCount >= 0)
    let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
    guard let mapping = unsafe mmap(nil, max(byteCount, 1), PROT_READ | PROT_WRITE, flags, -1, 0),
      unsafe mapping != MAP_FAILED
    else { throw SystemCallError(call: "mmap", path: "memory", code: errno) }
    unsafe start = mapping
    self.byteCount = byteCount
  }

  deinit { _ = unsafe munmap(start, max(byteCount, 1)) }

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
