import CCurl

/// Bytes under a path, as libcurl wants certificates and keys, that are on no disk and gone with the last reference.
package final class InlineFile: Sendable {
  private let descriptor: Int32
  /// As long as this object lives; also for programs that this process starts.
  package let path: String

  /// `nil` when the kernel has no memory for it.
  package init?(_ bytes: [UInt8]) {
    // Safe: the bytes live as long as the call.
    descriptor = unsafe bytes.withUnsafeBytes { unsafe pyrorec_memory_file($0.baseAddress, $0.count) }
    guard descriptor >= 0 else { return nil }
    path = "/proc/\(pyrorec_process_id())/fd/\(descriptor)"
  }

  deinit { pyrorec_close(descriptor) }
}
