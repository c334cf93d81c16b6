import Base
import CLibBPF
import Glibc

/// A file in memory with the types that the sampler's relocations ask for; gone with the object.
final class KernelTypesFile {
  private let descriptor: Int32
  /// libbpf opens files by their names.
  var path: String { "/proc/self/fd/\(descriptor)" }

  /// All of a kernel's types are some five megabytes.
  private static let limit = 256 << 20

  /// `nil` where libbpf has to read the kernel's types itself.
  init?() {
    guard let excerpt = Self.excerpt() else { return nil }
    // Safe: the kernel copies the name.
    descriptor = unsafe pyrorec_empty_memory_file("pyrorec-kernel-types")
    guard descriptor >= 0 else { return nil }
    // Safe: as many bytes as the array has.
    let written = unsafe excerpt.withUnsafeBytes { unsafe write(descriptor, $0.baseAddress, $0.count) }
    guard written == excerpt.count else { return nil }
  }
  deinit { if descriptor >= 0 { _ = close(descriptor) } }

  private static func excerpt() -> [UInt8]? {
    // Kernels from 6.16 on let them be mapped; before they hand out a page at a time.
    if let mapped = try? MappedFile(path: KernelAbilities.typeFormat) { return KernelTypeExcerpt.make(from: mapped.bytes) }
    guard let read = try? contents(of: KernelAbilities.typeFormat, limit: limit) else { return nil }
    return KernelTypeExcerpt.make(from: read.borrowedBytes)
  }
}
