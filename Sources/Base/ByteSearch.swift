#if canImport(Glibc)
  import Glibc
#else
  import Musl
#endif

extension RawSpan {
  /// Where the first `byte` of `range` is, counted from the start of the span; `nil` when there is none.
  /// - Parameter range: within the span; what is not is left out.
  package func firstIndex(of byte: UInt8, in range: Range<Int>) -> Int? {
    let first = max(range.lowerBound, 0)
    let count = min(range.upperBound, byteCount) - first
    guard count > 0 else { return nil }
    // Safe: `count` bytes from `first` on are within the span; the pointer is used only inside the closure.
    return unsafe withUnsafeBytes { bytes in
      guard let start = bytes.baseAddress, let found = unsafe memchr(start + first, Int32(byte), count) else { return nil }
      return unsafe UnsafeRawPointer(found) - start
    }
  }
}
