// glibc declares `malloc_trim(3)` and `mallopt(3)` in a header that Swift's module of it leaves out.
@_silgen_name("malloc_trim") private func trimHeap(_ kept: Int) -> Int32
@_silgen_name("mallopt") private func setHeapOption(_ option: Int32, _ value: Int32) -> Int32

/// The heap of a process that needs much for a moment again and again, and little in between.
enum Heap {
  /// `M_MMAP_THRESHOLD` and `M_ARENA_MAX` of `malloc.h`.
  private static let mapThreshold: Int32 = -3
  private static let maximumArenas: Int32 = -8
  private static let largeByteCount: Int32 = 256 << 10

  /// To be called before other threads begin.
  ///
  /// What is large is mapped on its own and given back when it is freed. By itself glibc takes the largest such piece that
  /// was freed, up to 32 MiB, for the size from which on that is worth it: pieces below it come from the arenas, where one
  /// small one behind them keeps them. Every further thread's arena is another place for that to happen.
  static func settle() {
    _ = setHeapOption(mapThreshold, largeByteCount)
    _ = setHeapOption(maximumArenas, 4)
  }

  /// Gives back what is free.
  static func trim() { _ = trimHeap(0) }
}
