package import Base
import Glibc

/// Room in the file systems of a process that records into them.
///
/// A JVM whose Flight Recorder finds its disk full shuts itself down ("An irrecoverable error in Jfr"), so a recording is not
/// begun where there is little room, and ended where little is left.
package enum TargetSpace {
  /// To begin: some chunks of 12 MiB, of which the JVM keeps a few.
  package static let bytesToBegin: UInt64 = 64 << 20
  /// To go on: what ending takes, and what others may write until then.
  package static let bytesToGoOn: UInt64 = 24 << 20

  /// - Parameter path: a directory, as the process sees it.
  /// - Throws: `noSpace` below `bytes`. Where it cannot be told there is room.
  package static func check(_ target: JavaTarget, at path: String, bytes: UInt64) throws(JavaError) {
    let files = TargetFiles(process: target.process, user: target.user)
    guard let free = try? files.directory(path).freeBytes(), free < bytes else { return }
    throw .noSpace(process: target.process, path: path, free: free, needed: bytes)
  }
}

extension TargetDirectory {
  /// Bytes that a user without privileges may still write.
  package func freeBytes() throws(SystemCallError) -> UInt64 {
    var space = statvfs()
    // Safe: the structure outlives the call.
    guard unsafe fstatvfs(rawDescriptor, &space) == 0 else { throw SystemCallError(call: "statvfs", path: path, code: errno) }
    let (bytes, overflow) = UInt64(space.f_bavail).multipliedReportingOverflow(by: UInt64(space.f_frsize))
    return overflow ? .max : bytes
  }
}
