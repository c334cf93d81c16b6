import CLibBPF
import CRecorderABI
import Dispatch
import Glibc
import Synchronization
import Unwind

/// The map of unwind tables' rows, by far the largest: the kernel fills it with zeros while everything else is prepared.
final class RowMap: Sendable {
  private let group = DispatchGroup()
  private let made = Mutex<Int32>(-1)

  /// - Parameter budget: bytes.
  init(budget: Int) {
    DispatchQueue.global(qos: .userInitiated).async(group: group) {
      var options = bpf_map_create_opts()
      options.sz = MemoryLayout<bpf_map_create_opts>.size
      options.map_flags = UInt32(BPF_F_MMAPABLE)
      // As `unwind_chunks` in bpf/unwind/kernel.h.
      let descriptor = unsafe bpf_map_create(
        BPF_MAP_TYPE_ARRAY, "unwind_chunks", 4, UInt32(MemoryLayout<pyrorec_unwind_chunk>.size),
        UInt32(UnwindArrays.chunkCount(budget: budget)), &options)
      self.made.withLock { $0 = descriptor }
    }
  }

  deinit {
    group.wait()
    let descriptor = made.withLock { $0 }
    if descriptor >= 0 { _ = close(descriptor) }
  }

  /// Waits until it is made.
  /// - Returns: below 0 when the kernel refused, with the reason in `errno` of another thread: to be made again.
  var descriptor: Int32 {
    group.wait()
    return made.withLock { $0 }
  }
}
