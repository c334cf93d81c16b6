#if canImport(Glibc)
  import Glibc
#else
  import Musl
#endif

/// A table of fixed size whose memory is taken once, reads as zeros at first and can become zeros again.
///
/// For tables that are looked up at random many times a second: no reference counting, and large pages where the
/// system gives them. `Element` must be one whose bytes may all be zero.
@frozen @safe public struct ZeroedTable<Element: BitwiseCopyable>: ~Copyable {
  @usableFromInline let start: UnsafeMutablePointer<Element>
  public let count: Int

  /// Traps where the address space has no room: it is for a few megabytes at the start.
  public init(count: Int) {
    let byteCount = Self.byteCount(count)
    guard let mapping = unsafe mmap(nil, byteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
      unsafe mapping != MAP_FAILED
    else { fatalError("no memory for a table of \(byteCount) bytes") }
    _ = unsafe madvise(mapping, byteCount, MADV_HUGEPAGE)
    // Safe: the mapping holds `count` elements, and zeros are elements.
    unsafe start = mapping.bindMemory(to: Element.self, capacity: count)
    self.count = count
  }

  deinit { _ = unsafe munmap(start, Self.byteCount(count)) }

  private static func byteCount(_ count: Int) -> Int { max(count * MemoryLayout<Element>.stride, 1) }

  @inlinable public subscript(index: Int) -> Element {
    @inline(__always) get {
      precondition(UInt(bitPattern: index) < UInt(bitPattern: count))
      // Safe: checked above.
      return unsafe start[index]
    }
    @inline(__always) set {
      precondition(UInt(bitPattern: index) < UInt(bitPattern: count))
      // Safe: checked above.
      unsafe start[index] = newValue
    }
  }

  /// Zeros everywhere again.
  public mutating func clear() {
    // Safe: the mapping is this long, and zeros are elements.
    _ = unsafe memset(start, 0, Self.byteCount(count))
  }
}
