package import Base

/// What keeps symbolizing from starting. An address without a name is no error but a `MissReason`.
package enum SymbolizeError: Error, Hashable {
  /// A directory named by the user that cannot be searched.
  case unusableDirectory(path: String, cause: SystemCallError)
  /// A recorded copy too large to be put together in memory.
  case copyTooLarge(path: String, byteCount: UInt64, limit: UInt64)
  case outOfMemory(path: String, cause: SystemCallError)
}

extension SymbolizeError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .unusableDirectory(let path, let cause):
      "\(path): \(cause.reason). Give an existing directory with --debug-directory or --sysroot."
    case .copyTooLarge(let path, let byteCount, let limit):
      "\(path): the recorded copy says it has \(byteCount) bytes, above the limit of \(limit). The trace is damaged: run verify on it."
    case .outOfMemory(let path, let cause):
      "\(path): \(cause.reason) for the recorded copy. Close other programs or raise the memory limit."
    }
  }
}
