import CLibBPF
import CRecorderABI

/// The sampler's map that says, by process id, which address space each process runs in.
struct ProcessPointers {
  /// -1 for none: a recorder without a kernel.
  var map: Int32 = -1

  /// Lets the sampler unwind the process in that address space.
  func point(_ process: UInt32, to value: pyrorec_unwind_process) {
    guard map >= 0 else { return }
    var key = process
    var value = value
    _ = unsafe bpf_map_update_elem(map, &key, &value, 0)
  }

  func forget(_ process: UInt32) {
    guard map >= 0 else { return }
    var key = process
    _ = unsafe bpf_map_delete_elem(map, &key)
  }
}
