import CMapping

#if canImport(Glibc)
  import Glibc
#else
  import Musl
#endif

/// A whole file mapped read-only; unmapped when the value goes away.
///
/// Another process may shorten the file meanwhile, or the disk fail: what is lost then reads as zeros, and `isDamaged` says
/// that it happened. Everything read before that is to be doubted too.
///
/// `@unchecked Sendable`: the mapping is private, read-only and never moved.
@safe package struct MappedFile: ~Copyable, @unchecked Sendable {
  /// Both `nil` for an empty file, which cannot be mapped.
  private let start: UnsafeRawPointer?
  private let mapping: OpaquePointer?
  package let byteCount: Int

  package init(path: String) throws(SystemCallError) {
    // Opening a pipe must not wait for somebody to write to it.
    try self.init(try OwnedDescriptor(open: path, O_RDONLY | O_NONBLOCK), path: path)
  }

  /// - Parameter path: only for the error.
  package init(_ descriptor: borrowing OwnedDescriptor, path: String) throws(SystemCallError) {
    let status = try descriptor.status(path: path)
    guard status.st_mode & S_IFMT == S_IFREG else { throw SystemCallError(call: "open", path: path, code: EINVAL) }
    let size = Int(status.st_size)
    guard size > 0 else {
      unsafe start = nil
      unsafe mapping = nil
      byteCount = 0
      return
    }
    var address: UnsafeRawPointer?
    // Safe: the descriptor is open, and what comes back is kept until `deinit`.
    guard let made = unsafe pyrorec_map_file(descriptor.rawValue, size, &address), unsafe address != nil else {
      throw SystemCallError(call: "mmap", path: path, code: errno)
    }
    unsafe start = address
    unsafe mapping = made
    byteCount = size
  }

  deinit { if let mapping = unsafe mapping { unsafe pyrorec_unmap_file(mapping) } }

  /// Whether any byte read so far was not the file's, because it was shortened or could not be read.
  package var isDamaged: Bool {
    guard let mapping = unsafe mapping else { return false }
    // Safe: given back in `deinit` only.
    return unsafe pyrorec_mapping_is_damaged(mapping)
  }

  /// Gives the pages that were read back to the kernel, which reads them again when they are needed again.
  package func releasePages() {
    guard let start = unsafe start else { return }
    // Safe: the mapping is private and nobody writes to it, so its pages are the file's, or zeros where that is damaged.
    _ = unsafe madvise(UnsafeMutableRawPointer(mutating: start), byteCount, MADV_DONTNEED)
  }

  /// The file's bytes, borrowed for as long as the mapping is.
  package var bytes: RawSpan {
    @_lifetime(borrow self) borrowing get {
      guard let start = unsafe start else { return RawSpan() }
      let span = unsafe RawSpan(_unsafeStart: start, byteCount: byteCount)
      return unsafe _overrideLifetime(span, borrowing: self)
    }
  }
}
