import Base
import CUnwind

/// The memory of a running process (process_vm_readv(2)), which it may change or give back at any time.
struct LiveProcessMemory: ProcessMemory {
  let process: UInt32
  /// Bytes of one read; more is asked for by nobody who knows what he reads.
  static let maximumByteCount = 1 << 20

  func bytes(at address: ProcessAddress, _ byteCount: Int) -> [UInt8]? {
    guard byteCount > 0, byteCount <= Self.maximumByteCount, let end = address.adding(UInt64(byteCount)), end.rawValue < 1 << 63
    else { return byteCount == 0 ? [] : nil }
    var isWhole = false
    // Safe: the kernel writes at most `byteCount` bytes into as much memory, and reads nothing of ours.
    let bytes = unsafe [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, filled in
      let got = unsafe pyrorec_read_process(Int32(bitPattern: process), buffer.baseAddress, UInt64(byteCount), address.rawValue)
      filled = max(got, 0)
      isWhole = got == byteCount
    }
    return isWhole ? bytes : nil
  }
}
