#if canImport(Glibc)
  import Glibc
#else
  import Musl
#endif

/// Address space that reads as zeros and takes memory only where it is written; given back when the value goes away.
@safe struct AnonymousMapping: ~Copyable {
  let start: UnsafeMutableRawPointer
  let byteCount: Int

  /// - Throws: `SystemCallError` when the address space does not have `byteCount` bytes.
  init(byteCount: Int) throws(SystemCallError) {
    precondition(byteCount >= 0)
    let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
    guard let mapping = unsafe mmap(nil, max(byteCount, 1), PROT_READ | PROT_WRITE, flags, -1, 0),
      unsafe mapping != MAP_FAILED
    else { throw SystemCallError(call: "mmap", path: "memory", code: errno) }
    unsafe start = mapping
    self.byteCount = byteCount
  }

  deinit { _ = unsafe munmap(start, max(byteCount, 1)) }
}
