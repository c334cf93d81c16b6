package import Base

/// Why a chunk of a recording cannot be read, or not to its end.
package enum ChunkProblem: Error, Hashable, Sendable {
  /// The layout of a chunk before version 2, or after it.
  case unsupportedVersion(major: UInt16, minor: UInt16)
  /// The chunk's own bytes contradict the format.
  case malformed(MalformedInput)
  /// The file ends before the chunk does, or its writer has not finished it.
  case unfinished(String)
}

extension ChunkProblem: CustomStringConvertible {
  package var description: String {
    switch self {
    case .unsupportedVersion(let major, let minor) where major < 2:
      """
      is in JFR format \(major).\(minor), as JDK 7 and Oracle's JDK 8 write it; only version 2 is read. \
      Record with OpenJDK 8u262 or newer, or with async-profiler.
      """
    case .unsupportedVersion(let major, let minor):
      "is in JFR format \(major).\(minor), newer than the version 2 this program reads"
    case .malformed(let cause): "is damaged: \(cause)"
    case .unfinished(let why): "is unfinished: \(why)"
    }
  }
}

/// The bytes at `offset` that are not what they should be.
func malformed(_ field: String, at offset: Int, _ why: String) -> MalformedInput {
  MalformedInput(field: field, offset: FileOffset(UInt64(offset)), problem: .inconsistent(why))
}
