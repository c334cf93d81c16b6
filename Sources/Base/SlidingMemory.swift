#if canImport(Glibc)
  import Glibc
#else
  import Musl
#endif

/// Memory that one thread fills front to back while others read what is filled; what nobody needs any more is given back.
///
/// `@unchecked Sendable`: the memory never moves; a byte is read only after it was filled, which the owner sees to.
@safe package final class SlidingMemory: @unchecked Sendable {
  private let mapping: AnonymousMapping
  private var start: UnsafeMutableRawPointer { unsafe mapping.start }
  package var byteCount: Int { mapping.byteCount }

  /// Takes address space; memory only for what is filled.
  /// - Throws: `SystemCallError` when the address space does not have `byteCount` bytes.
  package init(byteCount: Int) throws(SystemCallError) { mapping = try AnonymousMapping(byteCount: byteCount) }

  /// Lets `body` fill `range`, which lies within the memory and which nobody reads yet.
  package func fill<Result, Failure: Error>(
    _ range: Range<Int>, _ body: (UnsafeMutableRawBufferPointer) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    precondition(range.lowerBound >= 0 && range.upperBound <= byteCount)
    // Safe: the range is within the mapping, which lives as long as `self`.
    return try unsafe body(UnsafeMutableRawBufferPointer(start: start.advanced(by: range.lowerBound), count: range.count))
  }

  /// Gives back the whole pages of `range`, which read as zero from then on.
  package func release(_ range: Range<Int>) {
    let page = Int(sysconf(Int32(_SC_PAGESIZE)))
    let first = (max(range.lowerBound, 0) + page - 1) / page * page
    let end = min(range.upperBound, byteCount) / page * page
    guard first < end else { return }
    // Safe: whole pages within the mapping.
    _ = unsafe madvise(start.advanced(by: first), end - first, MADV_DONTNEED)
  }

  /// All of it; what is not filled yet, or was released, is not to be read.
  package var bytes: RawSpan {
    @_lifetime(borrow self) get {
      // Safe: the mapping never moves and lives as long as `self`.
      unsafe _overrideLifetime(RawSpan(_unsafeStart: UnsafeRawPointer(start), byteCount: byteCount), borrowing: self)
    }
  }
}
