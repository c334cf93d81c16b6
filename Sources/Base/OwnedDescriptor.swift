import CMapping

#if canImport(Glibc)
  package import Glibc
#else
  package import Musl
#endif

/// A file descriptor that is closed when the value goes away.
package struct OwnedDescriptor: ~Copyable, Sendable {
  package let rawValue: Int32

  /// Takes `rawValue`, which nothing else may close.
  package init(owning rawValue: Int32) { self.rawValue = rawValue }

  package init(open path: String, _ flags: Int32, mode: mode_t = 0o600) throws(SystemCallError) {
    let descriptor = retryingOnInterrupt { unsafe open(path, flags | O_CLOEXEC, mode) }
    guard descriptor >= 0 else { throw SystemCallError(call: "open", path: path, code: errno) }
    rawValue = descriptor
  }

  /// Opens `path` for reading as a process sees it whose root directory is `root`: neither `..` nor a link leads out of it.
  /// - Parameter looksOnly: for its status alone; nothing can be read.
  package init(open path: String, below root: String, looksOnly: Bool = false) throws(SystemCallError) {
    let descriptor = unsafe pyrorec_open_below(root, path, looksOnly)
    guard descriptor >= 0 else { throw SystemCallError(call: "open", path: root + path, code: errno) }
    rawValue = descriptor
  }

  deinit { _ = close(rawValue) }

  /// Reads up to `count` bytes from `offset`; fewer only at the end of the file.
  package func read(at offset: UInt64, count: Int, path: String) throws(SystemCallError) -> [UInt8] {
    var failure: Int32 = 0
    let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
      while filled < count {
        // Safe: `filled` stays within the buffer's capacity.
        let got = retryingOnInterrupt {
          unsafe pread(
            rawValue, buffer.baseAddress?.advanced(by: filled), count - filled, off_t(truncatingIfNeeded: offset) + off_t(filled))
        }
        if got < 0 { failure = errno }
        if got <= 0 { break }
        filled += got
      }
    }
    if failure != 0 { throw SystemCallError(call: "pread", path: path, code: failure) }
    return bytes
  }

  /// Writes all of `bytes` where the descriptor stands.
  package func write(_ bytes: RawSpan, path: String) throws(SystemCallError) {
    var done = 0
    while done < bytes.byteCount {
      let rest = bytes.extracting(done..<bytes.byteCount)
      // Safe: the pointer is used only inside the closure.
      let put = retryingOnInterrupt { unsafe rest.withUnsafeBytes { unsafe Glibc.write(rawValue, $0.baseAddress, $0.count) } }
      guard put > 0 else { throw SystemCallError(call: "write", path: path, code: put == 0 ? EIO : errno) }
      done += put
    }
  }

  package func status(path: String) throws(SystemCallError) -> stat {
    var status = stat()
    guard unsafe fstat(rawValue, &status) == 0 else { throw SystemCallError(call: "fstat", path: path, code: errno) }
    return status
  }
}

/// Every byte of the file at `path`, which may be one of `/proc` whose size is not known before.
/// - Throws: `SystemCallError` with `EFBIG` when it holds more than `limit` bytes.
package func contents(of path: String, limit: Int) throws(SystemCallError) -> [UInt8] {
  let file = try OwnedDescriptor(open: path, O_RDONLY)
  var all: [UInt8] = []
  var failure: Int32 = 0
  // `/proc` gives a page at a time, most of its files have less: nothing is taken from the heap but what is there.
  unsafe withUnsafeTemporaryAllocation(byteCount: 1 << 14, alignment: 16) { buffer in
    while all.count <= limit {
      // Safe: at most the buffer's size is read, and as much is copied as was read.
      let got = retryingOnInterrupt { unsafe Glibc.read(file.rawValue, buffer.baseAddress, buffer.count) }
      if got < 0 { failure = errno }
      if got <= 0 { break }
      unsafe all.append(contentsOf: buffer[..<got])
    }
  }
  guard failure == 0 else { throw SystemCallError(call: "read", path: path, code: failure) }
  guard all.count <= limit else { throw SystemCallError(call: "read", path: path, code: EFBIG) }
  return all
}

extension OwnedDescriptor {
  /// Reads up to `count` bytes where the descriptor stands; empty at the end.
  package func readNext(count: Int, path: String) throws(SystemCallError) -> [UInt8] {
    var failure: Int32 = 0
    let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
      // Safe: at most the buffer's capacity is read.
      let got = retryingOnInterrupt { unsafe Glibc.read(rawValue, buffer.baseAddress, count) }
      if got < 0 { failure = errno } else { filled = got }
    }
    if failure != 0 { throw SystemCallError(call: "read", path: path, code: failure) }
    return bytes
  }
}
