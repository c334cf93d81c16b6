public import Base

/// Why a segment could not be opened, read or written.
public enum TraceError: Error, Hashable {
  case system(SystemCallError)
  case empty(path: String)
  /// The file begins with something else; `.part` files of a recorder killed within its first instant are shorter than a header.
  case notASegment(path: String)
  case cutShort(path: String, byteCount: UInt64)
  case damagedHeader(path: String, why: String)
  case newerVersion(path: String, found: FormatVersion)
  /// Another program is writing to the file.
  case inUse(path: String)
  /// A frame could not be written and was taken back; everything written before is whole.
  case notWritten(path: String, cause: SystemCallError, samples: UInt64)
  /// A record is larger than a frame and cannot be divided.
  case recordTooLarge(kind: RecordKind, byteCount: Int)
  /// `liblz4` refused, which no input can cause.
  case compression(String)

  /// Whether the file is at fault (exit status 65), not the system around it.
  public var isUnreadableTrace: Bool {
    switch self {
    case .empty, .notASegment, .cutShort, .damagedHeader, .newerVersion: true
    case .system, .inUse, .notWritten, .recordTooLarge, .compression: false
    }
  }
}

extension TraceError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .system(let error): error.description
    case .empty(let path): "\(path) is empty: the recording ended before anything was written."
    case .notASegment(let path): "\(path) is not a trace of pyrorec: it does not begin with a segment header."
    case .cutShort(let path, let byteCount):
      "\(path) ends inside its header, after \(byteCount) bytes: there is nothing in it to read."
    case .damagedHeader(let path, let why):
      "\(path): the header is damaged (\(why)) and no index holds a copy of it."
    case .newerVersion(let path, let found):
      """
      \(path) has format version \(found), and this pyrorec reads up to \(FormatVersion.current): \
      use a pyrorec that writes version \(found.major).
      """
    case .inUse(let path): "\(path) is being written by another pyrorec: wait until it has ended."
    case .notWritten(let path, let cause, let samples):
      "\(path): \(cause.reason). \(samples) samples were not written; what was written before is whole"
    case .recordTooLarge(let kind, let byteCount):
      "a \(kind.name) record of \(byteCount) bytes does not fit into a frame"
    case .compression(let why): "LZ4: \(why)"
    }
  }
}
