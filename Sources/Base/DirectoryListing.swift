#if canImport(Glibc)
  import Glibc
#else
  import Musl
#endif

/// The names in a directory.
package enum DirectoryListing {
  /// Sorted bytewise, without `.` and `..`; empty when the directory cannot be read.
  package static func names(in path: String) -> [String] {
    guard let directory = unsafe opendir(path) else { return [] }
    defer { _ = unsafe closedir(directory) }
    var found: [String] = []
    while let entry = unsafe readdir(directory) {
      // Safe: the kernel ends a name with a NUL within its 256 bytes.
      let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
        unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
      }
      if name != ".", name != ".." { found.append(name) }
    }
    return found.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
  }
}
