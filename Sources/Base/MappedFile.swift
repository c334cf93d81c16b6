#if canImport(Glibc)
  import Glibc
#else
  import Musl
#endif

/// A whole file mapped read-only; unmapped when the value goes away.
///
/// Only for files that nobody shortens meanwhile: a page past the new end would raise `SIGBUS`. The recorder
/// reads the files of other processes with `OwnedDescriptor.read` instead.
///
/// `@unchecked Sendable`: the mapping is private, read-only and never moved.
@safe package struct MappedFile: ~Copyable, @unchecked Sendable {
  private let start: UnsafeRawPointer
  package let byteCount: Int

  package init(path: String) throws(SystemCallError) {
    let descriptor = try OwnedDescriptor(open: path, O_RDONLY)
    let status = try descriptor.status(path: path)
    guard status.st_mode & S_IFMT == S_IFREG else { throw SystemCallError(call: "open", path: path, code: EINVAL) }
    let size = Int(status.st_size)
    guard let mapping = unsafe mmap(nil, max(size, 1), PROT_READ, MAP_PRIVATE, descriptor.rawValue, 0),
      unsafe mapping != MAP_FAILED
    else { throw SystemCallError(call: "mmap", path: path, code: errno) }
    unsafe start = UnsafeRawPointer(mapping)
    byteCount = size
  }

  deinit { _ = unsafe munmap(UnsafeMutableRawPointer(mutating: start), max(byteCount, 1)) }

  /// The file's bytes, borrowed for as long as the mapping is.
  package var bytes: RawSpan {
    @_lifetime(borrow self) borrowing get {
      let span = unsafe RawSpan(_unsafeStart: start, byteCount: byteCount)
      return unsafe _overrideLifetime(span, borrowing: self)
    }
  }
}
