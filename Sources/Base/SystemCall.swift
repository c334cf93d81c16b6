#if canImport(Glibc)
  import Glibc
#else
  import Musl
#endif

/// A system call that failed, on what, and the kernel's reason.
public struct SystemCallError: Error, Hashable {
  public let call: String
  public let path: String
  /// An `errno` value.
  public let code: Int32

  public init(call: String, path: String, code: Int32) {
    self.call = call
    self.path = path
    self.code = code
  }

  /// The kernel's words for `code`, such as `No space left on device`.
  public var reason: String { unsafe String(cString: strerror(code)) }
}

extension SystemCallError: CustomStringConvertible {
  public var description: String { "\(path): \(call): \(reason)" }
}

/// Runs `call` again as long as a signal interrupts it.
package func retryingOnInterrupt<Result: SignedInteger>(_ call: () -> Result) -> Result {
  while true {
    let result = call()
    if result != -1 || errno != EINTR { return result }
  }
}
