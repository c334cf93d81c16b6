import Base

/// All that unwinding by tables needs beside the sampler.
struct Unwinding {
  let unwinder: StackUnwinder
  let workshop: TableWorkshop

  /// Threads that build tables, of low priority.
  private static let workers = 2

  /// `nil` when the sampler walks frame pointers.
  init?(_ sampler: Sampler, files: any ProcessFileSystem, cachePath: String?) throws(RecorderError) {
    guard let arrays = sampler.unwindArrays else { return nil }
    // Without its directory every table is built.
    let cache = cachePath.flatMap { try? TableCacheDirectory(path: $0) }
    do throws(SystemCallError) { workshop = try TableWorkshop(workers: Self.workers, cache: cache) } catch { throw .systemCall(error) }
    let maps = (try? files.read("self/maps", limit: 4 << 20)) ?? []
    let vdso = ProcessMap.executable(in: maps).first { $0.path == "[vdso]" }
    unwinder = StackUnwinder(
      arrays: arrays, pointers: sampler.processPointers, source: workshop, vdso: vdso.map { $0.start..<$0.end })
  }
}
