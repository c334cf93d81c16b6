package import Base

/// What tells a mapped image from every other one, as it was recorded.
package struct ImageIdentity: Hashable, Sendable {
  package enum Kind: Hashable, Sendable {
    case file
    case vdso
    /// Executable memory without a file.
    case anonymous
    case kernel
    case kernelModule
  }
  /// As the process saw it, without ` (deleted)`.
  package var path: String
  package var buildID: BuildID?
  package var device: UInt64
  package var inode: UInt64
  /// 0 when not known.
  package var byteCount: UInt64
  /// Nanoseconds since 1970; 0 when not known.
  package var modified: Int64
  package var kind: Kind

  package init(
    path: String, buildID: BuildID? = nil, device: UInt64 = 0, inode: UInt64 = 0, byteCount: UInt64 = 0, modified: Int64 = 0,
    kind: Kind = .file
  ) {
    self.path = path
    self.buildID = buildID
    self.device = device
    self.inode = inode
    self.byteCount = byteCount
    self.modified = modified
    self.kind = kind
  }
}
